/** Sends the script that finishes a stage together with another one; null where it has to go by itself. */
export type Carry = (keys: readonly string[], args: readonly (string | number)[]) => Promise<string[] | null>;

/** Arguments of BullMQ's command that completes a job, its keys first. */
export type MoveArgs = readonly (string | number | Buffer)[];

/** Sends both as one. */
export type FinishAndMove = (
  move: MoveArgs,
  finish: { readonly keys: readonly string[]; readonly args: readonly (string | number)[] },
) => Promise<{
  /** Reply of the script that finishes the stage. */
  readonly record: string[];
  /** Reply of BullMQ's; null where the stage was not finished, so that its job was not moved. */
  readonly job: readonly [unknown] | null;
}>;

/** The stage was not finished, so that its job was not moved. */
export class NotMoved extends Error {
  override readonly name = 'NotMoved';
}

/** BullMQ's command, which waits for the run's. */
interface Waiting {
  readonly args: MoveArgs;
  readonly reply: PromiseWithResolvers<unknown>;
}

/**
 * The end of one run, where its two sides meet: the run, which writes its result into the record, and BullMQ, which
 * completes the job. They are sent as one script (see `registerStageScripts`).
 *
 * Either side may be without the other: a run that ends without a result never asks; and where BullMQ does not come, or came
 * and failed, `release` lets the record be written by itself.
 */
export class Closing {
  /** Fulfilled when the run has a result to write. */
  readonly asked: Promise<this>;
  /** The run and what follows it. Rejects with what the job is to be told. */
  readonly ended: Promise<void>;
  readonly #send: FinishAndMove | null;
  readonly #ask: () => void;
  readonly #other = Promise.withResolvers<Waiting | null>();
  #waiting: Waiting | null = null;
  #released = false;

  /** @param run gets what takes its result along */
  constructor(send: FinishAndMove | null, run: (carry: Carry) => Promise<void>) {
    this.#send = send;
    const { promise, resolve } = Promise.withResolvers<this>();
    this.asked = promise;
    this.#ask = () => resolve(this);
    this.ended = run(this.#carry).finally(() => this.release());
    // Whoever waits for it hears it.
    this.ended.catch(() => undefined);
  }

  get released(): boolean {
    return this.#released;
  }

  readonly #carry: Carry = async (keys, args) => {
    if (this.#send === null) return null;
    this.#ask();
    const waiting = await this.#other.promise;
    if (waiting === null || this.#released) return null;
    // Where Redis refuses it, the run tries again, with the same command of BullMQ's.
    const { record, job } = await this.#send(waiting.args, { keys, args });
    this.#waiting = null;
    if (job) waiting.reply.resolve(job[0]);
    else waiting.reply.reject(new NotMoved());
    return record;
  };

  /** Called in place of BullMQ's command. @throws NotMoved */
  async move(args: MoveArgs): Promise<unknown> {
    const reply = Promise.withResolvers<unknown>();
    this.#waiting = { args, reply };
    this.#other.resolve(this.#waiting);
    if (this.#released) throw new NotMoved();
    return await reply.promise;
  }

  /** From now on both sides are by themselves. */
  release(): void {
    this.#released = true;
    this.#other.resolve(null);
    this.#waiting?.reply.reject(new NotMoved());
  }
}
