import { stages, type JobData, type StageName } from './stages.ts';

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
 * last in, first out. Every node has one, therefore, and priority 0 is never used.
 */
const priorities = { interactive: 10, batch: 1000 } as const;

/** The id of a stage's job: the same at every call, so that adding a flow twice adds it once. */
export function stageJobId(requestId: string, stage: StageName): string {
  return `${requestId}-${stage}`;
}

/** The job tree of one request: the final stage as root, the first stage as leaf. Pure: the same request gives the same tree. */
export function buildFlow(request: { id: string; deadlineAt: number; priority: keyof typeof priorities }): FlowNode {
  const data: JobData = { v: 1, requestId: request.id, deadlineAt: request.deadlineAt };
  const node = (stage: StageName): FlowNode => {
    const { queue, attempts } = stages[stage];
    const children = pipeline.find((edge) => edge.stage === stage)?.waitsFor ?? [];
    return {
      name: stage,
      queueName: queue,
      data,
      opts: {
        jobId: stageJobId(request.id, stage),
        priority: priorities[request.priority],
        attempts,
        backoff: { type: 'catalogue' },
        removeOnComplete: { count: 1000 },
        removeOnFail: { age: 7 * 24 * 3600, count: 5000 },
        ...(stage === finalStage ? {} : { failParentOnFailure: true }),
      },
      ...(children.length > 0 ? { children: children.map(node) } : {}),
    };
  };
  return node(finalStage);
}
