import { spawn } from 'node:child_process';

/** Whether packages can be installed here: as root, where apt-get is. */
export async function canInstall(): Promise<boolean> {
  return process.getuid?.() === 0 && (await run('apt-get', ['--version'])).code === 0;
}

/** Installs from the package lists as they are, and only if that fails fetches newer ones. Returns what apt-get said. */
export async function installWithApt(aptPackage: string): Promise<string> {
  const install = () => apt('install', '-y', '--no-install-recommends', aptPackage);

  const first = await install();
  if (first.code === 0) return first.output;
  const update = await apt('update');
  const second = await install();
  return [first, update, second].map(({ output }) => lastLines(output, 5)).join('\n');
}

/**
 * Runs apt-get. The package lock is waited for, because two processes may start on a fresh machine at once. In run level 1
 * Debian's packages do not start their services.
 */
export function apt(...args: string[]): Promise<{ code: number | null; output: string }> {
  return run('env', [
    'DEBIAN_FRONTEND=noninteractive',
    'RUNLEVEL=1',
    'apt-get',
    '-q',
    '-o',
    'DPkg::Lock::Timeout=300',
    ...args,
  ]);
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Runs a program to its end. A program that cannot be started has code null; its output then says why. */
export function run(
  program: string,
  args: string[],
  argv0 = program,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { argv0, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}
