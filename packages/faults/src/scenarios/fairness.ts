import { createHash } from 'node:crypto';
import type { PatientClient } from '../patient-client.ts';
import type { Run, Scenario } from '../scenario.ts';

const backlog = 5_000;
const longestSetUpMs = 55_000;
const senders = 24;
const samples = 9;
const visionMs = [1_500, 2_500] as const;
/** Beyond one vision slot: what everything else may take longer on a machine that has work. */
const marginMs = 500;
/** Of each stage in its one process. */
const slots = 4;

const secret = 'not-a-secret';
const keys = ['crowd', 'single'].map((owner) => ({
  id: owner,
  sha256: createHash('sha256').update(secret).digest('hex'),
  owner,
  scopes: ['submit', 'read'],
}));

/** Milliseconds that single requests take, one after the other. */
async function measure({ ledger, stock }: Run, client: PatientClient): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < samples; i += 1) {
    const entry = await ledger.submit(client, await stock.next());
    await ledger.follow(entry);
    times.push((entry.endedAt ?? Infinity) - entry.submittedAt);
  }
  return times.toSorted((a, b) => a - b);
}

/** One photo with as many questions: to the models they are different work. */
async function sendBacklog({ ledger, stock }: Run, client: PatientClient): Promise<number> {
  const { photo, key } = await stock.next();
  const giveUpAt = performance.now() + longestSetUpMs;
  let sent = 0;
  const sender = async () => {
    while (sent < backlog && performance.now() < giveUpAt) {
      sent += 1;
      const number = sent;
      await ledger.submit(
        client,
        { photo, key: `${key}-batch-${number}`, question: `Batch ${number}?`, priority: 'batch' },
        true,
      );
    }
  };
  await Promise.all(Array.from({ length: senders }, sender));
  return sent;
}

const seconds = (ms: number) => (ms / 1000).toFixed(2);
const median = (sorted: readonly number[]) => sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;

export const fairness: Scenario = {
  name: 'fairness',
  says: `one owner holds ${backlog} batch requests; another's single one takes at most one vision slot longer than on an idle system`,
  rig: {
    latency: { vision: [...visionMs], answer: [300, 600] },
    env: { API_KEYS: JSON.stringify(keys), CONCURRENCY: String(slots) },
  },
  users: 0,
  cutsOff: ['vision', 'answer'],
  async fault(run) {
    const { rig, newClient, note, broken, strikes, until } = run;
    const single = newClient({ apiKey: `single.${secret}` });
    const idle = await measure(run, single);
    const sent = await sendBacklog(run, newClient({ apiKey: `crowd.${secret}` }));
    const inFlight = () => rig.simulator.calls().filter(({ durationMs }) => durationMs === null).length;
    await until('every vision slot is taken', () => inFlight() >= slots, 30_000);
    const busy = await measure(run, single);
    note(
      `${sent} batch requests; a single one took ${seconds(median(idle))} s idle, ${seconds(median(busy))} s behind them (medians of ${samples}; longest ${seconds(idle.at(-1) ?? 0)} and ${seconds(busy.at(-1) ?? 0)} s)`,
    );
    if (median(busy) - median(idle) > visionMs[1] + marginMs) broken('it waited for more than one slot');
    // The rest of the batch would take an hour: it is left, and only looked at.
    strikes();
    for (const [name, app] of rig.system.apps) if (name.endsWith('-worker')) process.kill(app.pid, 'SIGKILL');
  },
};
