// The users of `slots`, in a process of their own, so that they do not hold back what serves them.
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { distinctPhotos, drawCameraPhoto } from './distinct-photos.ts';
import { beUser, type Outcome } from './slots-user.ts';

/** What the parent says over IPC. `start` is answered by `started`, `stop`, once nothing is in flight, by the outcomes. */
export type LoadOrder =
  | {
      readonly order: 'start';
      readonly apiUrl: string;
      readonly keys: readonly string[];
      readonly users: number;
      readonly rampMs: number;
    }
  | { readonly order: 'stop' };
export type LoadAnswer =
  | { readonly started: true }
  | { readonly outcomes: readonly Outcome[] }
  | { readonly problem: string };

const stopping = new AbortController();
const outcomes: Outcome[] = [];
let users: Promise<unknown> = Promise.resolve();

async function start({ apiUrl, keys, users: count, rampMs }: Extract<LoadOrder, { order: 'start' }>): Promise<void> {
  const nth = distinctPhotos(await drawCameraPhoto());
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  let sent = 0;
  const next = () => {
    sent += 1;
    return { photo: nth(sent), question: `Photo ${sent}: where does it go?` };
  };
  const pause = async (ms: number) => await delay(ms);
  users = Promise.all(
    Array.from({ length: count }, async (_, i) => {
      // Not all in the same millisecond.
      await delay((rampMs * i) / count);
      const key = keys[i % keys.length] ?? '';
      await beUser({ apiUrl, key, agent, next, stopping: stopping.signal, pause }, (outcome) => outcomes.push(outcome));
    }),
  ).then(() => agent.destroy());
}

async function obey(order: LoadOrder): Promise<LoadAnswer> {
  if (order.order === 'start') {
    await start(order);
    return { started: true };
  }
  stopping.abort();
  await users;
  return { outcomes };
}

process.on('message', (message) => {
  obey(message as LoadOrder).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ problem: String(error) } satisfies LoadAnswer),
  );
});
process.on('disconnect', () => process.exit(0));
