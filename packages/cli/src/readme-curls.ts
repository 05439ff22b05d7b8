import { readFile } from 'node:fs/promises';

/** The curl commands of the README's shell blocks, as they are printed, without the remark behind them. */
export async function curlsOfReadme(): Promise<string[]> {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  const lines = blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
  return lines.filter((line) => line.startsWith('curl ')).map((line) => line.replace(/\s+# .*$/, ''));
}
