import type { RecordStore, StageRun } from './records.ts';

/** A reader sees no difference between pieces more frequent than this. */
const intervalMs = 200;
/** How long nobody is looked for where nobody listened: so late comes the first piece for one who came since. */
const unheardMs = 1_000;
/** Pieces that are written before it is asked again whether somebody still listens. */
const piecesUnasked = 5;

/** The part of the record store that is needed. */
interface Records {
  readonly keys: Pick<RecordStore['keys'], 'events'>;
  readonly redis: { pubsub(subcommand: 'NUMSUB', channel: string): Promise<unknown> };
  readonly delta: RecordStore['delta'];
}

export interface AnswerStream {
  /** Takes what reads the whole text so far. Never throws and never waits. */
  readonly push: (readText: () => string) => void;
  /** Ends the stream; the complete answer follows with the stage's result. */
  close(): Promise<void>;
}

/**
 * Writes the growing answer as `answer.delta` events, while somebody listens and only then: the number of subscribers of
 * the request's channel decides, which is asked about once a second. A listener that comes late gets the text from the
 * start, as its first piece; after the last one has left, a few pieces are still written.
 */
export function streamAnswer(records: Records, run: StageRun): AnswerStream {
  let latest = () => '';
  let sent = '';
  let waitMs = intervalMs;
  let unasked = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function isHeard(): Promise<boolean> {
    if (unasked > 0) return true;
    const [, listeners] = (await records.redis.pubsub('NUMSUB', records.keys.events(run.id))) as [string, number];
    const heard = listeners > 0;
    unasked = heard ? piecesUnasked : 0;
    waitMs = heard ? intervalMs : unheardMs;
    return heard;
  }

  async function write(): Promise<void> {
    if (!(await isHeard())) return;
    const text = latest();
    const offset = text.startsWith(sent) ? sent.length : 0;
    if (offset === text.length) return;
    unasked -= 1;
    await records.delta(run, offset, text.slice(offset));
    sent = text;
  }

  return {
    push(readText) {
      latest = readText;
      timer ??= setTimeout(() => {
        timer = undefined;
        // The answer itself does not depend on its preview: a preview that fails is left out.
        writing = writing.then(write).catch(() => undefined);
      }, waitMs);
    },
    async close() {
      clearTimeout(timer);
      await writing;
    },
  };
}
