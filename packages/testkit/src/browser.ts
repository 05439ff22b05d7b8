import { canInstall, installWithApt, run } from './apt.ts';

const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'] as const;
const aptPackage = 'chromium';

/** A browser that runs here, or what is to be done to have one. */
export type FoundBrowser = { readonly program: string } | { readonly missing: string };

/**
 * The Chromium to test pages with: `binary` if given, else one on PATH, else (as root where apt-get is) Debian's, which is
 * installed. Where there is none nothing is thrown, so that a test may say so and be passed over.
 *
 * @throws an error where the given one does not run
 */
export async function findBrowser(binary?: string): Promise<FoundBrowser> {
  if (binary !== undefined) {
    if (await isBrowser(binary)) return { program: binary };
    throw new Error(`${binary} is not a Chromium that runs on this machine.`);
  }
  const present = await firstThatRuns();
  if (present !== undefined) return { program: present };
  if (!(await canInstall())) return { missing: `No browser found. ${waysToProvideOne}` };
  const problem = await installWithApt(aptPackage);
  const installed = await firstThatRuns();
  if (installed !== undefined) return { program: installed };
  return { missing: `apt-get could not install ${aptPackage}:\n${problem}\n${waysToProvideOne}` };
}

const waysToProvideOne =
  'Install Chromium or Chrome (Debian: apt-get install chromium), or set CHROMIUM_BIN to the path of one.';

async function firstThatRuns(): Promise<string | undefined> {
  for (const program of programs) {
    // A program without a path is found on PATH by a shell, but not by whoever starts a browser.
    const { code, output } = await run('sh', ['-c', `command -v ${program}`]);
    const path = output.trim();
    if (code === 0 && (await isBrowser(path))) return path;
  }
  return undefined;
}

async function isBrowser(program: string): Promise<boolean> {
  const { code, output } = await run(program, ['--version']);
  return code === 0 && /chrom(e|ium)/i.test(output);
}
