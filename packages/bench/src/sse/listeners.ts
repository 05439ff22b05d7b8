// A process that listens to many requests, as so many EventSources would.
import { Agent, get } from 'node:http';
import { sharedNow, type Heard } from './journey.ts';
import { watchLateness, type LatenessAsk } from './lateness.ts';
import { answerParent } from './peer.ts';

export type ListenersAsk =
  /** Whom to listen to from now on: one listener for each number, an index of `ids`. */
  | {
      readonly ask: 'follow';
      readonly origin: string;
      readonly ids: readonly string[];
      readonly requests: readonly number[];
      readonly events: number;
    }
  /** Connects all at once, each after the last event it saw. Answers the ms until each one has come to `reached` of its request. */
  | { readonly ask: 'join'; readonly reached: Int32Array }
  /** Breaks all connections off. */
  | { readonly ask: 'drop' }
  /** Answers what was heard, when the server has ended all streams. */
  | { readonly ask: 'heard' }
  | LatenessAsk;

interface Listener {
  readonly request: number;
  readonly join: (upTo: number) => Promise<void>;
  readonly drop: () => void;
  readonly ended: Promise<void>;
  readonly heard: () => Heard;
}

/** Nothing that is measured takes as long; what does will never come. */
const patienceMs = 60_000;

const latenessMs = watchLateness();
let listeners: readonly Listener[] = [];
const agent = new Agent({ maxSockets: Infinity });

function createListener(url: string, request: number, events: number): Listener {
  const arrivedAt = new Float64Array(events).fill(Number.NaN);
  const ended = Promise.withResolvers<void>();
  let seen = 0;
  let astray = 0;
  let text = '';
  let awaited = Infinity;
  let reached: () => void = () => undefined;
  let leave: () => void = () => undefined;

  function onBlock(block: string, now: number): void {
    if (!block.startsWith('id: ')) return;
    const seq = Number.parseInt(block.slice(4), 10);
    if (seq !== seen + 1) astray += 1;
    seen = Math.max(seen, seq);
    if (Number.isNaN(arrivedAt[seq - 1])) arrivedAt[seq - 1] = now;
    if (seen >= awaited) reached();
  }

  function onData(chunk: string): void {
    const now = sharedNow();
    const blocks = (text + chunk).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) onBlock(block, now);
  }

  return {
    request,
    ended: ended.promise,
    heard: () => ({ request, arrivedAt, astray }),
    drop: () => leave(),
    async join(upTo) {
      // Its stream has ended: an EventSource would be told not to come back.
      if (seen === events) return;
      text = '';
      const caughtUp = Promise.withResolvers<void>();
      awaited = upTo;
      reached = caughtUp.resolve;
      const headers = { accept: 'text/event-stream', 'last-event-id': String(seen) };
      const exchange = get(url, { agent, headers }, (response) => {
        if (response.statusCode !== 200) caughtUp.reject(new Error(`${url} answered ${response.statusCode}`));
        else if (seen >= upTo) caughtUp.resolve();
        response.setEncoding('utf8').on('data', onData);
        response.once('end', () => ended.resolve());
      });
      let left = false;
      leave = () => {
        left = true;
        exchange.destroy();
      };
      exchange.on('error', (error) => {
        if (left) return;
        caughtUp.reject(error);
        ended.reject(error);
      });
      await caughtUp.promise;
    },
  };
}

/** @throws after a minute, telling how many of them are still waited for. */
async function all(waits: readonly Promise<void>[], what: string): Promise<void> {
  let open = waits.length;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${open} of ${waits.length} ${what}`)), patienceMs);
  const each = waits.map(async (wait) => {
    await wait;
    open -= 1;
  });
  try {
    await Promise.race([Promise.all(each), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

answerParent(async (message: ListenersAsk) => {
  switch (message.ask) {
    case 'follow': {
      const { origin, ids, requests, events } = message;
      const url = (request: number) => `${origin}/v1/classifications/${ids[request]}/events`;
      listeners = requests.map((request) => createListener(url(request), request, events));
      return undefined;
    }
    case 'join': {
      const startedAt = sharedNow();
      await all(
        listeners.map(async ({ join, request }) => await join(message.reached[request] ?? 0)),
        'listeners have not caught up',
      );
      return sharedNow() - startedAt;
    }
    case 'lateness':
      return latenessMs();
    case 'drop':
      for (const { drop } of listeners) drop();
      return undefined;
    case 'heard':
      await all(
        listeners.map(async ({ ended }) => await ended),
        'streams have not ended',
      );
      return listeners.map(({ heard }) => heard());
  }
});
