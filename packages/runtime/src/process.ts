import type { Logger } from './log.ts';

export interface ProcessLife {
  /** True from the first stop signal on. */
  readonly stopping: boolean;
  /** Registers what to release on the way out; the last registered goes first. */
  onStop(name: string, release: () => Promise<void> | void): void;
  /** Stops in order and resolves with the exit code. A second call gets the same promise. */
  stop(reason: string): Promise<number>;
}

export interface ProcessLifeOptions {
  readonly log: Logger;
  /** After this the process ends, whatever is still open. */
  readonly graceMs: number;
  readonly exit?: (code: number) => void;
}

/** Time for the releasers beyond the drain itself: handing jobs back, closing connections. */
const releaseMarginMs = 5_000;

/** A process's way out: releasers in reverse order, bounded in time, each failure logged and none skipped. */
export function createProcessLife({ log, graceMs }: ProcessLifeOptions): ProcessLife {
  const releasers: { name: string; release: () => Promise<void> | void }[] = [];
  let stopped: Promise<number> | undefined;

  async function releaseAll(): Promise<number> {
    let code = 0;
    for (const { name, release } of releasers.toReversed()) {
      try {
        await release();
      } catch (error) {
        log.error('release failed', { resource: name, error });
        code = 1;
      }
    }
    return code;
  }

  return {
    get stopping() {
      return stopped !== undefined;
    },
    onStop(name, release) {
      releasers.push({ name, release });
    },
    stop(reason) {
      stopped ??= (async () => {
        log.info('stopping', { reason });
        const released = releaseAll();
        const code = await within(released, graceMs + releaseMarginMs);
        if (code === 'late') log.error('not everything was released in time', { graceMs });
        else log.info('stopped', { code });
        return code === 'late' ? 1 : code;
      })();
      return stopped;
    },
  };
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs an app until it is told to stop. SIGTERM and SIGINT drain; a second signal exits at once; an error that nobody
 * caught is logged and ends the process with code 1, since its state is unknown.
 */
export function runProcess(life: ProcessLife, log: Logger, start: () => Promise<void>): void {
  const stop = (reason: string, code = 0) => {
    void life.stop(reason).then((released) => process.exit(Math.max(code, released, Number(process.exitCode ?? 0))));
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (life.stopping) process.exit(1);
      stop(signal);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error(event, { error: error instanceof Error ? error : new Error(String(error)) });
      stop(event, 1);
    });
  }
  // Whoever read the log is gone, and with it most likely whoever watches this process. To log that would fail again, at
  // once and without an end.
  process.stdout.on('error', () => {
    log.silent = true;
    stop('the log has no reader', 1);
  });
  start().catch((error: unknown) => {
    log.error('start failed', { error: error instanceof Error ? error : new Error(String(error)) });
    stop('start failed', 1);
  });
}
