import { canInstall, installWithApt, run } from './apt.ts';

/** The programs of one installation of Prometheus. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

const aptPackage = 'prometheus';

/**
 * Prometheus and its tool: those of `PROMETHEUS_BIN` and `PROMTOOL_BIN`, else those on PATH, else (as root where apt-get is)
 * installed with apt-get, without its service being started.
 *
 * @returns undefined where there are none and none can be installed; `why` has then been told.
 * @throws when one that was named does not run.
 */
export async function findPrometheus(
  env: Readonly<Record<string, string | undefined>>,
  why: (reason: string) => void,
): Promise<PrometheusPrograms | undefined> {
  const programs = {
    prometheus: env['PROMETHEUS_BIN'] ?? 'prometheus',
    promtool: env['PROMTOOL_BIN'] ?? 'promtool',
  };
  if (await bothRun(programs)) return programs;
  for (const name of ['PROMETHEUS_BIN', 'PROMTOOL_BIN'])
    if (env[name] !== undefined) throw new Error(`${name}: ${env[name]} does not run on this machine.`);

  let problem = '';
  if (await canInstall()) {
    problem = `\n${await installWithApt(aptPackage)}`;
    if (await bothRun(programs)) return programs;
  }
  why(
    'No Prometheus found. Install it (Debian, Ubuntu: apt-get install prometheus; macOS: brew install prometheus), ' +
      'or set PROMETHEUS_BIN and PROMTOOL_BIN to its programs.' +
      problem,
  );
  return undefined;
}

async function bothRun({ prometheus, promtool }: PrometheusPrograms): Promise<boolean> {
  const versions = await Promise.all([prometheus, promtool].map(async (program) => await run(program, ['--version'])));
  return versions.every(({ code }) => code === 0);
}
