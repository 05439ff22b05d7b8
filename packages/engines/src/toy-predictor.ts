// A model as a process of its own, for process-engine.test.ts: it does what its tasks say.
import { connect } from 'node:net';
import { RefusedTask, serveEngine } from './serve-engine.ts';

export type ToyTask =
  | { readonly do: 'tell'; readonly bytes?: Uint8Array }
  /** Connects to a port, and goes on when the other side ends the connection. */
  | { readonly do: 'hold'; readonly port: number }
  | { readonly do: 'spin'; readonly ms: number }
  | { readonly do: 'fail' | 'refuse' | 'crash' | 'fill the heap' | 'ask for too much' };

export interface ToyValue {
  readonly pid: number;
  readonly batchSize: number;
  /** Of the task's bytes, where they came as bytes. */
  readonly sum: number;
  /** Names of the environment. */
  readonly env: readonly string[];
}

const [loads = 'well', marker = ''] = process.argv.slice(2);

async function act(task: ToyTask): Promise<void> {
  switch (task.do) {
    case 'tell':
      return;
    case 'hold': {
      const socket = connect(task.port, '127.0.0.1').resume();
      return await new Promise((resolve) => socket.once('close', () => resolve()));
    }
    case 'spin': {
      const until = performance.now() + task.ms;
      while (performance.now() < until);
      return;
    }
    case 'fail':
      throw new Error('no such picture');
    case 'refuse':
      throw new RefusedTask('image_undecodable', 'Send another picture.');
    case 'crash':
      process.exit(3);
    case 'fill the heap': {
      const kept: object[] = [];
      for (;;) kept.push(Array.from({ length: 1_000 }, (_, i) => ({ i })));
    }
    case 'ask for too much':
      // Eight PiB: more than any address space has.
      void new ArrayBuffer(2 ** 53 - 1);
  }
}

serveEngine<ToyTask, ToyValue>({
  load: async () => {
    // Threads of a model's runtime keep its process alive; so does this.
    setInterval(() => undefined, 60_000);
    if (loads === 'badly') throw new Error(`no weights ${marker}`);
    if (loads === 'never') await new Promise<never>(() => undefined);
    return await Promise.resolve({ memoryBytes: loads === 'empty' ? 0 : 4_096 });
  },
  predict: async (batch) => {
    for (const task of batch) await act(task);
    return batch.map((task) => ({
      pid: process.pid,
      batchSize: batch.length,
      sum: task.do === 'tell' && task.bytes instanceof Uint8Array ? task.bytes.reduce((sum, n) => sum + n, 0) : 0,
      env: Object.keys(process.env),
    }));
  },
  unload: async () => await Promise.resolve(),
});
