import type { RecordStore, StageRun } from './records.ts';

/** A reader sees no difference between pieces more frequent than this. */
const intervalMs = 200;

export interface AnswerStream {
  /** Takes what reads the whole text so far. Never throws and never waits. */
  readonly push: (readText: () => string) => void;
  /** Ends the stream; the complete answer follows with the stage's result. */
  close(): Promise<void>;
}

/**
 * Writes the growing answer as `answer.delta` events, while somebody listens and only then: the number of subscribers of
 * the request's channel decides. A listener that comes late gets the text from the start, as its first piece.
 */
export function streamAnswer(records: RecordStore, run: StageRun): AnswerStream {
  let latest = () => '';
  let sent = '';
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const channel = records.keys.events(run.id);
    const [, listeners] = (await records.redis.pubsub('NUMSUB', channel)) as [string, number];
    if (listeners === 0) return;
    const text = latest();
    const offset = text.startsWith(sent) ? sent.length : 0;
    if (offset === text.length) return;
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
      }, intervalMs);
    },
    async close() {
      clearTimeout(timer);
      await writing;
    },
  };
}
