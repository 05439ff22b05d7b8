// A process that plays the stages of many requests: it makes their records' transitions at a given rate.
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { stageOrder, type UsualStage } from '@bunri/queue-contracts';
import { createRecordStore, newRequestId, type RecordStore } from '@bunri/runtime';
import { seededRandom } from '@bunri/testkit';
import { eventsOf, journeyOf, sharedNow, shuffledTurns, type Step } from './journey.ts';
import { watchLateness, type LatenessAsk } from './lateness.ts';
import { answerParent } from './peer.ts';

export type DriverAsk =
  | { readonly ask: 'connect'; readonly url: string; readonly prefix: string }
  /** Accepts requests, which from then on are the ones that are played. Answers their ids. */
  | { readonly ask: 'accept'; readonly count: number; readonly pieces: number; readonly owner: string }
  /** Makes the next `steps` transitions; without a rate as fast as Redis takes them. Answers the seconds that it took. */
  | { readonly ask: 'play'; readonly steps: number; readonly perSecond?: number }
  /** Answers the seq that each request has come to. */
  | { readonly ask: 'reached' }
  /** Answers when each event was sent, of those that were played at a rate. */
  | { readonly ask: 'sent' }
  | LatenessAsk;

interface Crowd {
  readonly ids: readonly string[];
  readonly journey: readonly Step[];
  readonly turns: Int32Array;
  readonly steps: Int32Array;
  readonly reached: Int32Array;
  readonly sentAt: readonly Float64Array[];
  played: number;
}

const latenessMs = watchLateness();
let store: RecordStore | undefined;
let present: Crowd | undefined;
const outputs = new Map(stageOrder.map((stage) => [stage, fixtureOutput(stage)]));

function fixtureOutput(stage: UsualStage): unknown {
  const file = new URL(`../../../queue-contracts/fixtures/${stage}.v1.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { output: unknown }).output;
}

async function accept(records: RecordStore, count: number, pieces: number, owner: string): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newRequestId());
  const now = Date.now();
  await Promise.all(
    ids.map(
      async (id) =>
        await records.accept({
          id,
          owner,
          question: 'Do I have to take the label off?',
          locale: 'en',
          source: { kind: 'upload', key: `uploads/${id}`, sha256: 'a'.repeat(64), sizeBytes: 100_000 },
          priority: 'interactive',
          createdAt: now,
          deadlineAt: now + 600_000,
        }),
    ),
  );
  const journey = journeyOf(pieces);
  const events = eventsOf(journey);
  present = {
    ids,
    journey,
    turns: shuffledTurns(count, journey.length, seededRandom(1)),
    steps: new Int32Array(count),
    reached: new Int32Array(count).fill(1),
    sentAt: ids.map(() => new Float64Array(events).fill(Number.NaN)),
    played: 0,
  };
  return ids;
}

/** At a rate, what falls due together is sent together; nothing waits for an answer, as many workers would not. */
async function play(records: RecordStore, crowd: Crowd, steps: number, perSecond = Infinity): Promise<number> {
  const startedAt = sharedNow();
  const timed = Number.isFinite(perSecond);
  const answers: Promise<void>[] = [];
  while (answers.length < steps) {
    const due = Math.min(steps, timed ? Math.ceil(((sharedNow() - startedAt) * perSecond) / 1000) : steps);
    while (answers.length < due) answers.push(playNext(records, crowd, timed));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(answers);
  return (sharedNow() - startedAt) / 1000;
}

async function playNext(records: RecordStore, crowd: Crowd, timed: boolean): Promise<void> {
  const request = crowd.turns[crowd.played] ?? 0;
  const place = crowd.steps[request] ?? 0;
  const step = crowd.journey[place];
  const id = crowd.ids[request];
  if (!step || id === undefined) throw new Error('these requests have been played to their end');
  crowd.played += 1;
  crowd.steps[request] = place + 1;
  const seq = crowd.reached[request] ?? 0;
  crowd.reached[request] = seq + step.events;
  if (timed) crowd.sentAt[request]?.fill(sharedNow(), seq, seq + step.events);
  const run = { id, stage: step.stage, token: `bench:${step.stage}` };
  const { outcome } = await transition(records, step, run);
  if (!['started', 'emitted', 'finished'].includes(outcome)) throw new Error(`${step.act} ${step.stage}: ${outcome}`);
}

async function transition(records: RecordStore, { act, stage }: Step, run: Parameters<RecordStore['start']>[0]) {
  if (act === 'start') return await records.start(run);
  if (act === 'delta') return await records.delta(run, 0, 'Take the cap off and rinse it. ');
  return await records.finish(run, { output: outputs.get(stage), durationMs: 1, cached: false });
}

answerParent(async (message: DriverAsk) => {
  if (message.ask === 'lateness') return latenessMs();
  if (message.ask === 'connect') {
    store = createRecordStore({ redis: new Redis(message.url), prefix: message.prefix });
    return undefined;
  }
  if (!store) throw new Error('connect first');
  if (message.ask === 'accept') return await accept(store, message.count, message.pieces, message.owner);
  if (!present) throw new Error('accept first');
  if (message.ask === 'play') return await play(store, present, message.steps, message.perSecond);
  return message.ask === 'sent' ? present.sentAt : present.reached;
});
