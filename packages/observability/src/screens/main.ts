// `npm run screens [-- --minutes 6] [--out helm/screens]`: puts a load on the running system and draws the dashboards.
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findBrowser, findPrometheus } from '@bunri/testkit';
import { isAsking, readDashboard, type DashboardFile } from './dashboard-file.ts';
import { startPainter } from './draw.ts';
import { observe } from './observe.ts';
import { readme } from './readme.ts';

const helm = new URL('../../../../helm/', import.meta.url);
const timeZone = 'Asia/Seoul';

const say = (line: string) => process.stdout.write(`${line}\n`);

async function readDashboards(): Promise<DashboardFile[]> {
  const folder = new URL('bunri/files/dashboards/', helm);
  const names = (await readdir(folder)).toSorted();
  const all = await Promise.all(
    names.map(async (name) => readDashboard(await readFile(new URL(name, folder), 'utf8'))),
  );
  // The runbook is text alone.
  return all.filter(({ panels }) => panels.some(isAsking));
}

/** Everything that must be there before minutes are spent on a load. */
async function findPrograms(env: NodeJS.ProcessEnv): Promise<{ prometheus: string; browser: string }> {
  const found = await findPrometheus(env, (why) => say(why));
  const browser = await findBrowser(env['CHROMIUM_BIN']);
  if ('missing' in browser) throw new Error(browser.missing);
  if (!found) throw new Error('The dashboards show what a Prometheus answers, and there is none.');
  return { prometheus: found.prometheus, browser: browser.program };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '6' },
      out: { type: 'string', default: fileURLToPath(new URL('screens/', helm)) },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 1 && minutes <= 60)) throw new Error('--minutes takes a number from 1 to 60');
  const dashboards = await readDashboards();
  const { prometheus, browser } = await findPrograms(process.env);
  const seconds = minutes * 60;
  const told = await observe({ dashboards, seconds, program: prometheus, env: process.env, timeZone, say });
  const painter = await startPainter(browser, timeZone);
  try {
    const pictures = new Map<string, Buffer>();
    for (const { uid, view } of told.screens) pictures.set(`${uid}.png`, await painter.draw(view));
    // What is no longer drawn must not stay.
    await mkdir(values.out, { recursive: true });
    const old = (await readdir(values.out)).filter((name) => /^bunri-.*\.png$/.test(name));
    for (const name of old) await rm(join(values.out, name));
    for (const [name, picture] of pictures) await writeFile(join(values.out, name), picture);
    await writeFile(join(values.out, 'README.md'), readme(told));
    const bytes = [...pictures.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    say(`${pictures.size} pictures, ${Math.round(bytes / 1024)} KiB, in ${values.out}`);
  } finally {
    await painter.close();
  }
}

// Each process that is started is ended by a listener of its own when this one exits, however that is.
process.setMaxListeners(64);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
await main();
