import { startTcpProxy, type RunningProcess, type TcpProxy } from '@bunri/testkit';
import type { Run, Scenario } from '../scenario.ts';

/** Longer than the 15 s after which a worker's jobs are taken from it. */
const stoppedMs = 25_000;
const blockedMs = 35_000;

export const sigstopWorker: Scenario = {
  name: 'sigstop-worker',
  says: 'one of two vision workers is stopped for 25 s, longer than its lock, and goes on (SIGSTOP, SIGCONT)',
  cutsOff: ['vision'],
  async prepare({ rig: { system } }) {
    await system.addReplica('vision-worker');
  },
  async fault({ rig: { system }, strikes, lifted, pause }) {
    const pid = system.apps.get('vision-worker')?.pid ?? Number.NaN;
    strikes();
    process.kill(pid, 'SIGSTOP');
    await pause(stoppedMs);
    process.kill(pid, 'SIGCONT');
    lifted();
  },
};

let way: TcpProxy | undefined;

export const partitionedWorker: Scenario = {
  name: 'partitioned-worker',
  says: 'no byte passes between one of two vision workers and Redis for 25 s, while its model calls go on',
  cutsOff: ['vision'],
  async prepare({ rig: { system, redis, onStop } }) {
    const proxy = await startTcpProxy({ targetPort: redis.proxy.port });
    onStop(async () => await proxy.stop());
    way = proxy;
    await system.addReplica('vision-worker', { env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });
  },
  async fault({ strikes, lifted, pause }) {
    strikes();
    await way?.setMode('blackhole');
    await pause(stoppedMs);
    await way?.setMode('pass');
    lifted();
  },
};

/** Blocks the event loop of a process that was started with an inspector. @returns when it began, epoch ms. */
async function block(target: RunningProcess, ms: number): Promise<number> {
  const [url] = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(target.output()) ?? [];
  if (url === undefined) throw new Error('the process tells no address of an inspector');
  const expression = `(() => { const begin = Date.now(); while (Date.now() < begin + ${ms}); return begin; })()`;
  const socket = new WebSocket(url);
  try {
    const answer = await new Promise<MessageEvent>((resolve, reject) => {
      const fail = () => reject(new Error('the inspector closed the connection'));
      socket.addEventListener('open', () => {
        socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
      });
      socket.addEventListener('message', resolve, { once: true });
      socket.addEventListener('error', fail);
      socket.addEventListener('close', fail);
    });
    const { result } = JSON.parse(String(answer.data)) as { result?: { result?: { value?: number } } };
    const begin = result?.result?.value;
    if (begin === undefined) throw new Error(`the inspector answered ${String(answer.data)}`);
    return begin;
  } finally {
    socket.close();
  }
}

async function restartWithInspector({ rig: { system } }: Run): Promise<void> {
  await system.apps.get('vision-worker')?.stop();
  await system.restart('vision-worker', { nodeArgs: ['--inspect=127.0.0.1:0'] });
}

export const blockedEventLoop: Scenario = {
  name: 'blocked-event-loop',
  says: 'the event loop of one of two vision workers is blocked for 35 s',
  cutsOff: ['vision'],
  async prepare(run) {
    await restartWithInspector(run);
    await run.rig.system.addReplica('vision-worker');
  },
  async fault({ rig: { system }, strikes, lifted }) {
    const target = system.apps.get('vision-worker');
    if (!target) throw new Error('there is no vision worker');
    strikes(await block(target, blockedMs));
    lifted();
  },
};
