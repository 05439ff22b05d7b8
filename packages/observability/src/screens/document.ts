import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { headerHeight } from './layout.ts';

const { resolve } = createRequire(import.meta.url);

/** The colours and sizes of Grafana's dark page. */
const style = `
* { box-sizing: border-box; margin: 0; }
body { position: relative; background: #111217; color: #ccccdc; font: 400 12px/1.5 Inter, sans-serif; overflow: hidden; }
header { display: flex; align-items: center; gap: 10px; height: ${headerHeight}px; padding: 0 16px 8px; }
h1 { flex: 1; font-size: 18px; font-weight: 500; white-space: pre; }
.group { color: rgba(204, 204, 220, 0.65); }
.remark { padding: 4px 10px; border: 1px solid rgba(204, 204, 220, 0.16); border-radius: 2px; background: #181b1f; color: rgba(204, 204, 220, 0.8); }
.row { position: absolute; display: flex; align-items: center; gap: 6px; font-size: 16px; font-weight: 500; }
.chevron { color: rgba(204, 204, 220, 0.65); transform: translateY(-4px); }
.panel { position: absolute; border: 1px solid rgba(204, 204, 220, 0.12); border-radius: 2px; background: #181b1f; overflow: hidden; }
h2 { height: 32px; padding: 0 8px; font-size: 14px; font-weight: 500; line-height: 32px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.body { padding: 0 8px; }
.empty { display: flex; align-items: center; justify-content: center; height: calc(100% - 40px); }
.nothing { color: rgba(204, 204, 220, 0.65); font-size: 14px; }
.legend { display: flex; flex-wrap: wrap; padding: 4px 0 0 6px; list-style: none; }
.legend li { margin-right: 10px; line-height: 18px; white-space: nowrap; }
.legend i { display: inline-block; width: 14px; height: 4px; margin-right: 6px; border-radius: 2px; vertical-align: middle; }
.figure { display: flex; align-items: center; justify-content: center; height: calc(100% - 40px); }
.figure strong { position: relative; font-size: 38px; font-weight: 600; line-height: 1; white-space: nowrap; }
.figure small { font-size: 24px; font-weight: 500; white-space: pre; }
.spark { position: absolute; left: 0; bottom: 0; }
.scale { display: flex; align-items: center; gap: 6px; width: 45%; padding-left: 6px; }
.scale i { flex: 1; height: 8px; border-radius: 2px; }
.bars ol { display: flex; padding: 0; list-style: none; }
.bars li { display: flex; flex: 1; align-items: center; min-width: 0; gap: 4px; }
.bars b { font-size: 14px; font-weight: 500; white-space: nowrap; }
.bars .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars .track { position: relative; flex: 1; background: rgba(204, 204, 220, 0.07); }
.bars .filled { position: absolute; left: 0; bottom: 0; }
.upright { gap: 10px; }
.upright li { flex-direction: column; }
.upright .track, .upright .filled { width: 100%; }
.upright .name { max-width: 100%; }
.across { flex-direction: column; gap: 6px; }
.across .name { width: 30%; text-align: right; padding-right: 8px; }
.across .track, .across .filled { height: 100%; }
.across li { width: 100%; }
`;

/** The page before anything is drawn on it, with all that it needs inside: it asks nobody for anything. */
export async function emptyPage(): Promise<string> {
  const font = await readFile(resolve('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'), 'base64');
  const charts = await readFile(resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const face = `@font-face { font-family: Inter; font-weight: 100 900; src: url(data:font/woff2;base64,${font}); }`;
  return `<!doctype html><meta charset="utf-8"><style>${face}${charts}${style}</style><body></body>`;
}

/** The script that draws, as a browser runs it. */
export async function pageScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page/main.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    logLevel: 'silent',
  });
  const [script] = outputFiles;
  if (!script) throw new Error('the script of the page has no output');
  return script.text;
}
