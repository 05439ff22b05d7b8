import type { Request } from './schemas.ts';
import {
  jobDataVersion,
  stages,
  usualLooks,
  type JobData,
  type LookStage,
  type StageName,
  type UsualStage,
} from './stages.ts';

/** Redis key prefix of every queue and record. The braces put all keys in one slot of a Redis Cluster. */
export const defaultPrefix = '{bunri}';

/** Who waits for whom, leaf first. The last stage is the root of the flow and ends the request. */
const pipeline: readonly { readonly stage: UsualStage; readonly waitsFor: readonly UsualStage[] }[] = [
  { stage: 'preprocess', waitsFor: [] },
  { stage: 'vision', waitsFor: ['preprocess'] },
  { stage: 'rag', waitsFor: ['vision'] },
  { stage: 'llm', waitsFor: ['rag'] },
];

/** Stages of an ordinary request in the order in which they run. */
export const stageOrder: readonly UsualStage[] = pipeline.map(({ stage }) => stage);
export const firstStage: StageName = 'preprocess';
export const finalStage: StageName = 'llm';

/** What the local model is called among a request's `models`. */
export const localModel = 'local';

/** The stages that look at the photo of a request for these models. */
export function looksOf(models: Request['models']): readonly LookStage[] {
  if (!models?.includes(localModel)) return usualLooks;
  return models.length > 1 ? ['vision', 'vision.local'] : ['vision.local'];
}

/** The stages of a request for these models, in the order in which they run. Two that look run side by side. */
export function stagesOf(models: Request['models']): readonly StageName[] {
  const looks = looksOf(models);
  return looks === usualLooks ? stageOrder : ['preprocess', ...looks, 'rag', 'llm'];
}

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
    ignoreDependencyOnFailure?: boolean;
    delay?: number;
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
  /** The stages that look at the photo, as `looksOf` tells. Default: the usual one. */
  readonly looks?: readonly LookStage[];
  /** Of two that look, the one that has ended already, with an output or for good. */
  readonly looked?: LookStage | undefined;
  /** Of a request that is traced. */
  readonly trace?: string | undefined;
}

/**
 * How long the local look waits for preprocess, as a job has one parent and preprocess is the leaf below the API's look.
 * It is woken when preprocess is done; this is what it costs if that word is lost.
 */
export const siblingDelayMs = 2_000;

/** What each job of the request carries. */
export function jobDataOf({ id, deadlineAt, generation = 0, looks = usualLooks, trace }: FlowOrder): JobData {
  const isUsual = looks.length === 1 && looks[0] === 'vision';
  return {
    v: isUsual ? 1 : jobDataVersion,
    requestId: id,
    deadlineAt,
    ...(generation > 0 ? { generation } : {}),
    ...(isUsual ? {} : { looks: [...looks] }),
    ...(trace === undefined ? {} : { trace }),
  };
}

/**
 * The job tree of one request: the final stage as root, the first stage as leaf. Pure: the same order gives the same tree.
 *
 * Where two look, they are children of rag side by side, and neither fails it: BullMQ hands rag on once both have ended,
 * however they did (`continueParentOnFailure` would hand it on with the first failure).
 */
export function buildFlow(order: FlowOrder): FlowNode {
  const { generation = 0, from = firstStage, looks = usualLooks, looked } = order;
  const data = jobDataOf(order);
  const priority = priorityOf(order.priority, order.turn ?? 0);
  const [firstLook = 'vision', secondLook] = looks.filter((look) => look !== looked);
  const begins = new Set<StageName>(from === firstLook && secondLook ? [from, secondLook] : [from]);
  const childrenOf = (stage: StageName): readonly StageName[] => {
    if (begins.has(stage)) return [];
    if (stage === 'rag') return secondLook ? [firstLook, secondLook] : [firstLook];
    if (stage === firstLook) return ['preprocess'];
    return pipeline.find((edge) => edge.stage === stage)?.waitsFor ?? [];
  };
  const node = (stage: StageName): FlowNode => {
    const { queue, attempts } = stages[stage];
    const children = childrenOf(stage);
    const isSibling = looks.length > 1 && looks.some((look) => look === stage);
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
        ...(stage === secondLook && from === firstStage ? { delay: siblingDelayMs } : {}),
        ...(isSibling ? { ignoreDependencyOnFailure: true } : {}),
        ...(isSibling || stage === finalStage ? {} : { failParentOnFailure: true }),
      },
      ...(children.length > 0 ? { children: children.map(node) } : {}),
    };
  };
  return node(finalStage);
}
