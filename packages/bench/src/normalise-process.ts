import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export type NormaliseSide = 'bare' | 'bunri';

/** Normalises the file at `path`, `count` times a side, one after the other; the sides take turns at each picture. */
export interface NormaliseAsk {
  readonly sides: readonly NormaliseSide[];
  readonly path: string;
  readonly count: number;
}

/** What all pictures of each side took; 0 for a side that was not asked for. */
export type NormaliseTimes = Record<NormaliseSide, { seconds: number; cpuSeconds: number }>;

export type NormaliseAnswer =
  | { readonly ok: true; readonly times: NormaliseTimes }
  | { readonly ok: false; readonly message: string };

export interface NormaliseProcess {
  /** Whether it has a core that it stays on. */
  readonly pinned: boolean;
  run(ask: NormaliseAsk): Promise<NormaliseTimes>;
  stop(): Promise<void>;
}

/** Of util-linux; binds a program to a core. */
const taskset = 'taskset';

/** A process for both sides, which take turns in it: on one core, where `path` has `taskset`. */
export async function startNormaliseProcess(path: string | undefined): Promise<NormaliseProcess> {
  const env = { PATH: path, MALLOC_ARENA_MAX: '2' };
  const core = spawnSync(taskset, ['-V'], { env }).status === 0 ? await lastCore() : undefined;
  const node = [
    process.execPath,
    '--conditions=@bunri/source',
    '--no-warnings',
    fileURLToPath(new URL('normalise-child.ts', import.meta.url)),
  ];
  const [command = '', ...args] = core === undefined ? node : [taskset, '-c', core, ...node];
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  return {
    pinned: core !== undefined,
    async run(ask) {
      child.send(ask);
      const answered = once(child, 'message') as Promise<[NormaliseAnswer]>;
      const [answer] = await Promise.race([answered, exited.then(ended)]);
      if (!answer.ok) throw new Error(answer.message);
      return answer.times;
    },
    async stop() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

function ended(): never {
  throw new Error('the process that normalises has ended');
}

/** The last core that this process may run on; the first ones have the machine's interrupts. */
async function lastCore(): Promise<string | undefined> {
  const status = await readFile('/proc/self/status', 'utf8');
  return /^Cpus_allowed_list:.*?(\d+)$/m.exec(status)?.[1];
}
