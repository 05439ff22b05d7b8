import {
  failureSchema,
  finalStage,
  requestSchema,
  stageNames,
  stageOrder,
  stages,
  type Failure,
  type FlowOrder,
  type Request,
  type RequestStatus,
  type Resource,
  type StageName,
  type StageOutput,
  type StageStatus,
} from '@bunri/queue-contracts';

export interface StageRecord {
  readonly status: StageStatus;
  readonly startedAt: number | null;
  readonly durationMs: number | null;
  readonly attempts: number;
  readonly cached: boolean;
  /** Runs of this stage that ended without a word, as with their process. */
  readonly lost: number;
  /** The stage's output as it was stored; validated by the stage's schema when it is read with `stageOutput`. */
  readonly output: unknown;
}

/** A request as the store holds it. Times are epoch milliseconds. */
export interface RequestRecord {
  readonly request: Request;
  readonly status: RequestStatus;
  readonly completedAt: number | null;
  readonly lastSeq: number;
  /** The request that goes on from this one with the latest that the person said of the thing. */
  readonly answeredBy: string | null;
  readonly error: Failure | null;
  /** How often the request was opened again; jobs of an earlier generation are void. */
  readonly generation: number;
  /** Its turn among the requests of its class. */
  readonly turn: number;
  readonly stages: Record<StageName, StageRecord>;
}

/** From the fields of the Redis hash; null when there is no record. Throws when the hash is not one of ours. */
export function parseRecord(fields: Record<string, string>): RequestRecord | null {
  const { request, status, completedAt, seq, error, generation, turn, answeredBy } = fields as Record<
    string,
    string | undefined
  >;
  if (request === undefined || status === undefined) return null;
  return {
    request: requestSchema.parse(JSON.parse(request)),
    status: status as RequestStatus,
    completedAt: completedAt === undefined ? null : Number(completedAt),
    lastSeq: Number(seq ?? 0),
    answeredBy: answeredBy ?? null,
    generation: Number(generation ?? 0),
    turn: Number(turn ?? 0),
    error: error === undefined ? null : failureSchema.parse(JSON.parse(error)),
    stages: Object.fromEntries(stageNames.map((name) => [name, parseStage(fields, name)])) as RequestRecord['stages'],
  };
}

function parseStage(fields: Record<string, string>, name: StageName): StageRecord {
  const number = (field: string) => {
    const value = fields[`${name}.${field}`];
    return value === undefined ? null : Number(value);
  };
  const output = fields[`${name}.output`];
  return {
    status: (fields[`${name}.status`] ?? 'pending') as StageStatus,
    startedAt: number('startedAt'),
    durationMs: number('durationMs'),
    attempts: number('attempts') ?? 0,
    cached: number('cached') === 1,
    lost: number('lost') ?? 0,
    output: output === undefined ? null : JSON.parse(output),
  };
}

/** The validated output of a stage, or null while it has none. */
export function stageOutput<S extends StageName>(record: RequestRecord, stage: S): StageOutput<S> | null {
  const { output } = record.stages[stage];
  return output === null ? null : (stages[stage].output.parse(output) as StageOutput<S>);
}

/** The stages that have no output yet, in the order in which they run. */
export function stagesLeft(record: RequestRecord): StageName[] {
  return stageOrder.filter((name) => record.stages[name].status !== 'completed');
}

/** What is to be queued for a request: the jobs of its present generation, from its first stage without an output on. */
export function flowOrder(record: RequestRecord): FlowOrder {
  const { request, generation, turn } = record;
  const { id, deadlineAt, priority } = request;
  return { id, deadlineAt, priority, turn, generation, from: stagesLeft(record)[0] ?? finalStage };
}

/** The record as clients see it. */
export function toResource(record: RequestRecord): Resource {
  const { request } = record;
  const image = stageOutput(record, 'preprocess');
  const vision = stageOutput(record, 'vision');
  const asked = stageOutput(record, 'rag')?.clarification;
  const llm = stageOutput(record, 'llm');
  const whoAnswered = (name: StageName) => ({
    engine:
      { vision: vision?.classification.engine, llm: llm?.engine, preprocess: undefined, rag: undefined }[name] ?? null,
    degraded: { vision: vision?.degraded, llm: llm?.degraded, preprocess: undefined, rag: undefined }[name] ?? null,
  });
  return {
    id: request.id,
    status: record.status,
    created_at: isoTime(request.createdAt),
    completed_at: record.completedAt === null ? null : isoTime(record.completedAt),
    deadline_at: isoTime(request.deadlineAt),
    stages: stageOrder.map((name) => {
      const stage = record.stages[name];
      return {
        name,
        status: stage.status,
        started_at: stage.startedAt === null ? null : isoTime(stage.startedAt),
        duration_ms: stage.durationMs,
        attempts: stage.attempts,
        cached: stage.cached,
        ...whoAnswered(name),
      };
    }),
    image: image && { sha256: image.sha256, width: image.width, height: image.height },
    question: request.question,
    locale: request.locale,
    classification: vision?.classification ?? null,
    guidance: llm?.guidance ?? null,
    clarification: asked ? { ...asked, answered_by: record.answeredBy } : null,
    clarifies: request.clarifies?.of ?? null,
    usage: { ...(vision ? { vision: vision.usage } : {}), ...(llm ? { llm: llm.usage } : {}) },
    cached: record.stages.vision.cached && record.stages.llm.cached,
    degraded: vision?.degraded !== undefined || llm?.degraded !== undefined,
    replay_of: request.replay?.of ?? null,
    error: record.error,
  };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
