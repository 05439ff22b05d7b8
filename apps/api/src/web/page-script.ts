import { fileURLToPath } from 'node:url';

/**
 * The page's script as one file, as a browser runs it. From the sources it is bundled when it is first asked for; the
 * production bundle has this module replaced by the script itself, made by this function.
 */
export async function bundlePageScript(): Promise<string> {
  return await bundleScript('page/main.ts');
}

/** A script for browsers, of this file below the folder of the pages. */
export async function bundleScript(entry: string): Promise<string> {
  // Needed for development alone, so that it is loaded where nothing was bundled before.
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: ['es2023', 'safari16.4', 'chrome110', 'firefox115'],
    conditions: ['@bunri/source'],
    minify: true,
    legalComments: 'none',
    logLevel: 'silent',
  });
  const [script] = outputFiles;
  if (!script) throw new Error('the script of a page has no output');
  return script.text;
}
