import type { Job, Queue } from 'bullmq';
import { failure, finalStage, stageJobId, type StageName } from '@bunri/queue-contracts';
import type { Operator } from '@bunri/runtime';
import { audited, confirmed, nobodyThere } from '../acting.ts';
import { parse } from '../args.ts';
import { UsageError, type Command, type CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import type { KnownQueue } from './look.ts';
import { withQueue } from './one-queue.ts';
import { requestOf } from './show.ts';

const flag = { type: 'boolean', default: false } as const;
const waitingStates = ['waiting', 'prioritized', 'delayed'] as const;
const pageSize = 200;
const inParallel = 20;
const message = 'An operator ended the requests that waited here. Send the request again later.';

/** What became of the jobs. */
interface Drained {
  /** Requests that were open and have their error now. */
  ended: number;
  /** Jobs of requests that had ended before. */
  void: number;
  /** Jobs that were left alone: somebody works on them, or they cannot be understood. */
  left: number;
}

/**
 * Ends the requests whose jobs wait in a stage's queue. Each gets its error first and loses its jobs then: who dies in
 * between leaves jobs of a closed request, which every worker passes over.
 */
export const drainQueue: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: flag, yes: flag });
  if (!values.yes && !io.ask) throw nobodyThere();
  const operator = await open();
  return await withQueue(operator, positionals, async (known, all) => {
    const { queue, stage } = known;
    if (stage === undefined) throw new UsageError(`${queue.name} is no stage's queue: its jobs belong to no request`);
    const root = all.find((each) => each.stage === finalStage)?.queue ?? queue;
    const count = await queue.getJobCountByTypes(...waitingStates);
    const question = `End the requests of ${count} waiting jobs of ${queue.name} with ended_by_operator?`;
    if (!values.yes && !(await confirmed(io, question))) {
      io.err('bunri: nothing was drained');
      return 1;
    }
    const what = { action: 'queues.drain', target: queue.name, announced: true };
    const drained = await audited(operator, io, what, async () => {
      const result = await whilePaused(known, async () => await endWaiting({ operator, queue, stage, root }, io));
      return { result, facts: { ...result } };
    });
    if (values.json) io.out(asJson({ queue: queue.name, ...drained }));
    else tell(queue.name, drained, io);
    return drained.left > 0 ? 1 : 0;
  });
};

function tell(queue: string, { ended, void: passed, left }: Drained, io: CommandIo): void {
  io.out(`${ended} requests of ${queue} were ended; ${passed} jobs of ended requests were removed.`);
  if (left > 0) io.out(`${left} jobs were left: somebody works on them, or they cannot be understood.`);
  if (ended > 0) io.out('They are dead letters: queues retry --code ended_by_operator runs them again.');
}

/** Nobody takes a job meanwhile, or its request would end while somebody works on it. A queue that was paused stays so. */
async function whilePaused<Result>({ queue }: KnownQueue, act: () => Promise<Result>): Promise<Result> {
  const wasPaused = await queue.isPaused();
  if (!wasPaused) await queue.pause();
  try {
    return await act();
  } finally {
    if (!wasPaused) await queue.resume();
  }
}

interface Drain {
  readonly operator: Operator;
  readonly queue: Queue;
  readonly stage: StageName;
  /** Where the last job of every request is, which waits for all others. */
  readonly root: Queue;
}

async function endWaiting(drain: Drain, io: CommandIo): Promise<Drained> {
  const drained: Drained = { ended: 0, void: 0, left: 0 };
  const seen = new Set<string>();
  for (;;) {
    // What was left stays where it is, before all others.
    const jobs = await drain.queue.getJobs([...waitingStates], 0, seen.size + pageSize - 1, true);
    const fresh = jobs.filter((job) => job?.id !== undefined && !seen.has(job.id));
    if (fresh.length === 0 || io.signal.aborted) return drained;
    for (let i = 0; i < fresh.length; i += inParallel) {
      const outcomes = await Promise.all(fresh.slice(i, i + inParallel).map(async (job) => await endJob(drain, job)));
      for (const { id, outcome } of outcomes) {
        drained[outcome] += 1;
        if (outcome === 'left') seen.add(id);
      }
    }
  }
}

async function endJob({ operator, stage, root }: Drain, job: Job): Promise<{ id: string; outcome: keyof Drained }> {
  const id = job.id ?? '';
  const request = requestOf(job.data);
  if (!request) return { id, outcome: 'left' };
  const { requestId, generation } = request;
  const error = failure('ended_by_operator', message, stage);
  const { outcome } = await operator.records.fail(requestId, error, { generation });
  const closed = outcome === 'ended' ? 'ended' : 'void';
  const last = (await root.getJob(stageJobId(requestId, finalStage, generation))) as Job | undefined;
  // All jobs of the request; where one of them is locked, by a worker that will find the request closed, this one alone.
  if (last && (await removed(last, true))) return { id, outcome: closed };
  return { id, outcome: (await removed(job, false)) ? closed : 'left' };
}

async function removed(job: Job, removeChildren: boolean): Promise<boolean> {
  try {
    await job.remove({ removeChildren });
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.includes('locked by another worker')) return false;
    throw error;
  }
}
