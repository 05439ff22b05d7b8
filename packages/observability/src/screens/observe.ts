import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '@bunri/testkit';
import { startPrometheus } from '../prometheus-server.ts';
import { askAll, type Source } from './ask.ts';
import type { DashboardFile } from './dashboard-file.ts';
import { pageWidth } from './layout.ts';
import { runLoad } from './load.ts';
import { phases } from './phases.ts';
import { clockTime, type Screen, type Told } from './readme.ts';
import { startObservedSystem } from './system.ts';
import { intervalsOf, type Shown } from './variables.ts';
import { viewOf } from './views.ts';

/** As often as the scheduler looks at the queues, so that a window of four scrapes always holds as many of its looks. */
const scrapeS = 10;
/** Nothing happens for so long before the load: until the scheduler has seen that everybody is there, and shown it twice. */
const quietBeforeMs = 3 * scrapeS * 1000;
/** And after it: until what was counted last is scraped. */
const quietAfterMs = 2 * scrapeS * 1000;

export interface ObserveOptions {
  readonly dashboards: readonly DashboardFile[];
  readonly seconds: number;
  /** The program of Prometheus. */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeZone: string;
  readonly say: (line: string) => void;
}

async function lookAt(dashboards: readonly DashboardFile[], source: Source, timeZone: string): Promise<Screen[]> {
  const [from, to] = [source.shown.from, source.shown.to].map((at) => clockTime(at, timeZone));
  const remarks = [`${from} to ${to?.slice(-8)}`, 'drawn by bunri, not by Grafana'];
  const screens: Screen[] = [];
  for (const dashboard of dashboards) {
    const chosen = dashboard.templating.list.map(
      ({ label, type }) => `${label}: ${type === 'query' ? 'All' : 'Prometheus'}`,
    );
    const view = viewOf(dashboard, await askAll(dashboard, source), [...chosen, ...remarks]);
    screens.push({ uid: dashboard.uid, view });
  }
  return screens;
}

/** Starts the system and a Prometheus that scrapes it, puts the load on it, and asks what every panel shows then. */
export async function observe({ dashboards, seconds, program, env, timeZone, say }: ObserveOptions): Promise<Told> {
  const system = await startObservedSystem(env);
  try {
    const { targets } = system;
    const prometheus = await startPrometheus({ program, targets, ruleFiles: [], scrapeMs: scrapeS * 1000 });
    try {
      await delay(quietBeforeMs);
      const from = Date.now() / 1000;
      const onPhase = ({ name, says }: { name: string; says: string }) => say(`${name}: ${says}`);
      const report = await runLoad({ ...system, phases, seconds, random: seededRandom(1), onPhase });
      await delay(quietAfterMs);
      const shown: Shown = { from, to: Date.now() / 1000 };
      const screens = await lookAt(dashboards, { prometheus, shown, scrapeS }, timeZone);
      const { rateS } = intervalsOf(shown, pageWidth / 3, scrapeS);
      return { screens, phases, report, shown, scrapeS, rateS, timeZone };
    } finally {
      await prometheus.stop();
    }
  } finally {
    await system.stop();
  }
}
