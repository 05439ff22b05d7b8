import { bundleScript } from './page-script.ts';

/** The script of the page of operation; the production bundle has it in the place of this module. */
export async function bundleOpsScript(): Promise<string> {
  return await bundleScript('ops/main.ts');
}
