import { readFileSync } from 'node:fs';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { stages, type StageName, type StageOutput } from '@bunri/queue-contracts';
import {
  connectConsumer,
  connectSubscriber,
  createLogger,
  createMetrics,
  createProcessLife,
  createRecordStore,
  serveStage,
} from '@bunri/runtime';

/** The two sides of every comparison: BullMQ alone, with the flow that bunri uses, and bunri's runtime around it. */
export const variants = ['raw', 'bunri'] as const;
export type Variant = (typeof variants)[number];

export interface Connection {
  readonly url: string;
  readonly prefix: string;
}

/** Serves one stage with a handler that does nothing, until the process ends. */
export async function serveNoop(variant: Variant, stage: StageName, { url, prefix }: Connection): Promise<void> {
  if (variant === 'raw') {
    const connection = new Redis(url, { maxRetriesPerRequest: null });
    const worker = new Worker(
      stages[stage].queue,
      async (job) => {
        if (stage !== 'preprocess') await job.getChildrenValues();
        return { ok: stage };
      },
      { connection, prefix, concurrency: slots(stage), settings: { backoffStrategy: () => 1000 } },
    );
    worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
    worker.on('failed', (_job, error) => {
      // Whoever waits for its end would wait for ever: the parent sees that this process is gone.
      process.stderr.write(`a raw job failed: ${error.message}\n`);
      process.exit(1);
    });
    await worker.waitUntilReady();
    return;
  }
  const log = createLogger({ app: 'bench', level: 'info' });
  const output = fixtureOutput(stage);
  const redis = connectConsumer({ url, name: 'bench', log });
  await serveStage({
    stage,
    handler: async () => await Promise.resolve({ output, cached: false }),
    redis,
    records: createRecordStore({ redis, prefix }),
    subscriber: connectSubscriber({ url, name: 'bench-events', log }),
    prefix,
    life: createProcessLife({ log, graceMs: 1_000 }),
    graceMs: 1_000,
    log,
    metrics: createMetrics({ app: 'bench' }),
    concurrency: slots(stage),
  });
}

/** The slots of all replicas of the stage in one process, so that both sides run as four workers. */
function slots(stage: StageName): number {
  return stages[stage].concurrency * stages[stage].replicas;
}

function fixtureOutput<S extends StageName>(stage: S): StageOutput<S> {
  const file = new URL(`../../queue-contracts/fixtures/${stage}.v1.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { output: StageOutput<S> }).output;
}
