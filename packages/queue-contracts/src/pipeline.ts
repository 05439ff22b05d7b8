import type { Request } from './schemas.ts';
import { jobDataVersion, stages, type JobData, type StageName } from './stages.ts';

/** Redis key prefix of every queue and record. The braces put all keys in one slot of a Redis Cluster. */
export const defaultPrefix = '{bunri}';

/** Who waits for whom, leaf first. The last stage is the root of the flow and ends the request. */
const pipeline: readonly { readonly stage: StageName; readonly waitsFor: readonly StageName[] }[] = [
  { stage: 'preprocess', waitsFor: [] },
  { stage: 'vision', waitsFor: ['preprocess'] },
  { stage: 'rag', waitsFor: ['vision'] },
  { stage: 'llm', waitsFor: ['rag'] },
];

/** Stages in the order in which they run. */
export const stageOrder: readonly StageName[] = pipeline.map(({ stage }) => stage);
export const firstStage: StageName = 'preprocess';
export const finalStage: StageName = 'llm';

/** Structurally a BullMQ `FlowJob`; this package depends on zod alone. */
export interface FlowNode {
  name: string;
  queueName: string;
  data: JobData;
  opts: {
    jobId: string;
    priority: number;
    attempts: number;
    /** Resolved by the worker from the stage catalogue, so that the cap and the jitter are decided in one place. */
    backoff: { type: 'catalogue' };
    removeOnComplete: { count: number };
    removeOnFail: { age: number; count: number };
    failParentOnFailure?: boolean;
  };
  children?: FlowNode[];
}

/**
 * BullMQ releases a parent to the head of its queue unless it has a priority, so that without one parents would run
 * last in, first out. Every node has one, therefore, and priority 0 is never used. Each class has a range of its own: in it
 * the place is the request's turn, as the record gave it out; who comes after half a million turns shares the last place,
 * first in, first out. Each turn has two priorities, the first of them for jobs that were taken and put back: BullMQ gives
 * these a new running number, which alone would put them behind all their equals. It takes priorities up to 2^21.
 */
const turns = 500_000;

/** The first priority of a class: jobs of a later class have higher ones. */
export const firstPriority = { interactive: 1, batch: 1 + 2 * turns } as const;

/** The priority of all jobs of a request. `turn` counts from 0. */
export function priorityOf(priorityClass: Request['priority'], turn: number): number {
  return firstPriority[priorityClass] + 2 * Math.min(turn, turns - 1) + 1;
}

/** Of a job that has this one and is put back unharmed: just before its equals. Putting it back again changes nothing. */
export function priorityAfterTaken(priority: number): number {
  return priority - ((priority + 1) % 2);
}

/** The id of a stage's job: the same at every call, so that adding a flow twice adds it once. */
export function stageJobId(requestId: string, stage: StageName, generation = 0): string {
  return `${requestId}-${stage}${generation > 0 ? `-r${generation}` : ''}`;
}

export interface FlowOrder {
  readonly id: string;
  readonly deadlineAt: number;
  readonly priority: Request['priority'];
  /** The request's turn among those of its class. Default: the first. */
  readonly turn?: number;
  /** How often the request was retried. Default 0. */
  readonly generation?: number;
  /** The first stage that has anything to do. Default: the first of all. */
  readonly from?: StageName;
}

/** The job tree of one request: the final stage as root, the first stage as leaf. Pure: the same order gives the same tree. */
export function buildFlow(order: FlowOrder): FlowNode {
  const { generation = 0, from = firstStage } = order;
  const data: JobData = {
    v: jobDataVersion,
    requestId: order.id,
    deadlineAt: order.deadlineAt,
    ...(generation > 0 ? { generation } : {}),
  };
  const priority = priorityOf(order.priority, order.turn ?? 0);
  const node = (stage: StageName): FlowNode => {
    const { queue, attempts } = stages[stage];
    const waitsFor = stage === from ? [] : (pipeline.find((edge) => edge.stage === stage)?.waitsFor ?? []);
    return {
      name: stage,
      queueName: queue,
      data,
      opts: {
        jobId: stageJobId(order.id, stage, generation),
        priority,
        attempts,
        backoff: { type: 'catalogue' },
        removeOnComplete: { count: 1000 },
        removeOnFail: { age: 7 * 24 * 3600, count: 5000 },
        ...(stage === finalStage ? {} : { failParentOnFailure: true }),
      },
      ...(waitsFor.length > 0 ? { children: waitsFor.map(node) } : {}),
    };
  };
  return node(finalStage);
}
