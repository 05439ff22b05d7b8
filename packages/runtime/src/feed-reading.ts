import type { RequestEvent } from '@bunri/queue-contracts';
import type { ReadEvents } from './feed-reads.ts';

export type Listener = (event: RequestEvent) => void;

/** How following a request came to its end. `gone`: its record is not in the store any more, or never was. */
export type FollowEnd = 'ended' | 'gone' | 'left';

/** One listener's place in a request's stream: what was told to it, and whether there is more to come. */
export interface Reading {
  /** Rejects when the stream cannot be read at the start. */
  readonly end: Promise<FollowEnd>;
  /** The first read of the stream. */
  readonly start: () => void;
  /** Reads what may have been missed. */
  readonly again: () => void;
  /** Takes what was just published. */
  readonly onLive: (event: RequestEvent) => void;
  /** Tells nothing more until `resume`, when it is read from the stream; but a page that is being told is told to its end. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly leave: () => void;
  readonly fail: (error: unknown) => void;
}

/** After a failed read, as a connection that is coming back gives it. */
export const readAgainMs = 250;

/** `onOver` is called once, at the end. */
export function createReading(options: {
  readonly id: string;
  readonly afterSeq: number;
  readonly readEvents: ReadEvents;
  readonly onEvent: Listener;
  readonly onOver: () => void;
}): Reading {
  const { id, readEvents, onEvent, onOver } = options;
  let last = options.afterSeq;
  // Until the first read is done, what comes live is held back.
  let reading = true;
  let stale = false;
  let paused = false;
  let over = false;
  let retry: NodeJS.Timeout | undefined;
  const { promise: end, resolve, reject } = Promise.withResolvers<FollowEnd>();

  function stop(): boolean {
    if (over) return false;
    over = true;
    clearTimeout(retry);
    onOver();
    return true;
  }

  function finish(how: FollowEnd): void {
    if (stop()) resolve(how);
  }

  function fail(error: unknown): void {
    if (stop()) reject(error instanceof Error ? error : new Error(String(error)));
  }

  function tell(event: RequestEvent): void {
    if (event.seq <= last || over) return;
    last = event.seq;
    onEvent(event);
  }

  const wantsMore = () => stale && !paused && !over;

  async function read(): Promise<void> {
    reading = true;
    try {
      do {
        stale = false;
        const { events, more, state } = await readEvents(id, last);
        for (const event of events) tell(event);
        const latest = events.at(-1);
        if (more) stale = true;
        else if (state === 'gone') finish('gone');
        else if (latest ? endsRequest(latest) : state === 'ended') finish('ended');
        // It was opened again meanwhile, unless the next read says that it was not.
        else if (state === 'ended') stale = true;
      } while (wantsMore());
    } finally {
      reading = false;
    }
  }

  function again(): void {
    stale = true;
    if (reading || paused || over) return;
    clearTimeout(retry);
    read().catch(() => {
      if (!over) retry = setTimeout(again, readAgainMs);
    });
  }

  return {
    end,
    fail,
    again,
    start() {
      if (!over) read().catch(fail);
    },
    onLive(event) {
      if (event.seq <= last || over) return;
      if (reading || paused || event.seq !== last + 1) {
        again();
        return;
      }
      tell(event);
      if (endsRequest(event)) finish('ended');
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      if (stale) again();
    },
    leave: () => finish('left'),
  };
}

function endsRequest(event: RequestEvent): boolean {
  return event.type === 'completed' || event.type === 'failed' || event.type === 'canceled';
}
