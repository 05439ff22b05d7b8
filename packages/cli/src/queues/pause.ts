import { setTimeout as delay } from 'node:timers/promises';
import { audited } from '../acting.ts';
import { parse, toDuration } from '../args.ts';
import type { Command, CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import type { KnownQueue } from './look.ts';
import { withQueue } from './one-queue.ts';

const json = { type: 'boolean', default: false } as const;
const pollMs = 200;

/** No worker of any process takes a job of the queue, until it is resumed; what runs goes on to its end. */
export const pauseQueue: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json, wait: { type: 'string', default: '60s' } });
  const waitMs = toDuration('--wait', values.wait);
  const operator = await open();
  return await withQueue(operator, positionals, async (known) => {
    const { name } = known.queue;
    await audited(operator, io, { action: 'queues.pause', target: name }, async () => {
      await known.queue.pause();
      return { result: undefined };
    });
    const active = await untilIdle(known, io, waitMs);
    if (values.json) io.out(asJson({ queue: name, paused: true, active }));
    else io.out(`${name} is paused; ${active === 0 ? 'nothing of it runs' : `${active} jobs run still`}.`);
    if (!values.json && known.stage !== undefined) {
      io.err('Requests go on being accepted, and end by their deadlines while it is paused.');
    }
    return 0;
  });
};

/** @returns how many jobs run at the end of the wait. */
async function untilIdle({ queue }: KnownQueue, io: CommandIo, waitMs: number): Promise<number> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    const active = await queue.getActiveCount();
    if (active === 0 || io.signal.aborted || performance.now() >= giveUpAt) return active;
    await delay(pollMs, undefined, { signal: io.signal }).catch(() => undefined);
  }
}

export const resumeQueue: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json });
  const operator = await open();
  return await withQueue(operator, positionals, async ({ queue }) => {
    await audited(operator, io, { action: 'queues.resume', target: queue.name }, async () => {
      await queue.resume();
      return { result: undefined };
    });
    io.out(values.json ? asJson({ queue: queue.name, paused: false }) : `${queue.name} goes on.`);
    return 0;
  });
};
