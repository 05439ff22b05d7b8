import {
  failureSchema,
  finalStage,
  isLookStage,
  looksOf,
  requestSchema,
  stageNames,
  stages,
  stagesOf,
  usualLooks,
  type Failure,
  type FlowOrder,
  type Request,
  type RequestStatus,
  type Resource,
  type StageName,
  type StageOutput,
  type StageStatus,
  type Usage,
} from '@bunri/queue-contracts';

export interface StageRecord {
  readonly status: StageStatus;
  readonly startedAt: number | null;
  readonly durationMs: number | null;
  readonly attempts: number;
  readonly cached: boolean;
  /** Runs of this stage that ended without a word, as with their process. */
  readonly lost: number;
  /** Of one of two stages that look: why it ended without a result, while the request went on with the other. */
  readonly failure?: Failure;
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
  /** The last part of the name of the idempotency claim that made it, where one did. */
  readonly claim?: string | undefined;
  /** How often the request was opened again; jobs of an earlier generation are void. */
  readonly generation: number;
  /** Its turn among the requests of its class. */
  readonly turn: number;
  readonly stages: Record<StageName, StageRecord>;
}

/** From the fields of the Redis hash; null when there is no record. Throws when the hash is not one of ours. */
export function parseRecord(fields: Record<string, string>): RequestRecord | null {
  const { request, status, completedAt, seq, error, generation, turn, answeredBy, claim } = fields as Record<
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
    claim,
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
  const error = fields[`${name}.error`];
  return {
    ...(error === undefined ? {} : { failure: failureSchema.parse(JSON.parse(error)) }),
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

/**
 * The stages that have no output yet, in the order in which they run. Of two that look, one that was given up is done with
 * while the request is open; a request that has failed is to be tried again with both. Once rag has its result, nobody
 * has to look any more.
 */
export function stagesLeft(record: RequestRecord): StageName[] {
  return stagesOf(record.request.models).filter((name) => {
    const { status } = record.stages[name];
    if (status === 'completed') return false;
    if (!isLookStage(name)) return true;
    if (record.stages.rag.status === 'completed') return false;
    return status !== 'failed' || record.status === 'failed';
  });
}

/** What is to be queued for a request: the jobs of its present generation, from its first stage without an output on. */
export function flowOrder(record: RequestRecord): FlowOrder {
  const { request, generation, turn } = record;
  const { id, deadlineAt, priority } = request;
  const left = stagesLeft(record);
  const looks = looksOf(request.models);
  return {
    id,
    deadlineAt,
    priority,
    turn,
    generation,
    from: left[0] ?? finalStage,
    ...(request.trace === undefined ? {} : { trace: request.trace }),
    ...(looks === usualLooks ? {} : { looks, looked: looks.find((look) => !left.includes(look)) }),
  };
}

/** The record as clients see it. */
export function toResource(record: RequestRecord): Resource {
  const { request } = record;
  const image = stageOutput(record, 'preprocess');
  const looks = looksOf(request.models);
  const seen = new Map(looks.map((look) => [look, stageOutput(record, look)] as const));
  const looked = [...seen.values()].filter((output) => output !== null);
  const context = stageOutput(record, 'rag');
  const asked = context?.clarification;
  const llm = stageOutput(record, 'llm');
  return {
    id: request.id,
    status: record.status,
    created_at: isoTime(request.createdAt),
    completed_at: record.completedAt === null ? null : isoTime(record.completedAt),
    deadline_at: isoTime(request.deadlineAt),
    stages: stagesOf(request.models).map((name) => {
      const stage = record.stages[name];
      return {
        name,
        status: stage.status,
        started_at: stage.startedAt === null ? null : isoTime(stage.startedAt),
        duration_ms: stage.durationMs,
        attempts: stage.attempts,
        cached: stage.cached,
        ...whoAnswered(isLookStage(name) ? seen.get(name) : name === 'llm' ? llm : null, stage.failure),
      };
    }),
    image: image && { sha256: image.sha256, width: image.width, height: image.height },
    question: request.question,
    locale: request.locale,
    classification: context?.seen ?? looked[0]?.classification ?? null,
    guidance: llm?.guidance ?? null,
    clarification: asked ? { ...asked, answered_by: record.answeredBy } : null,
    clarifies: request.clarifies?.of ?? null,
    usage: {
      ...(looked[0] ? { vision: sumOf(looked.map(({ usage }) => usage)) } : {}),
      ...(llm ? { llm: llm.usage } : {}),
    },
    cached: [...looks, 'llm' as const].every((name) => record.stages[name].cached),
    degraded:
      looks.some((look) => record.stages[look].failure) ||
      [...looked, llm].some((output) => output?.degraded !== undefined),
    replay_of: request.replay?.of ?? null,
    models: request.models ?? null,
    region: request.region === undefined ? null : { asked: request.region, applied: null },
    metadata: request.metadata ?? null,
    webhook_url: request.webhookUrl ?? null,
    batch: request.batch ?? null,
    trace_id: request.trace?.split('-')[1] ?? null,
    error: record.error,
  };
}

/** Who answered in a stage that asks a model, and why it was not who was to. */
function whoAnswered(
  output: StageOutput<'vision' | 'llm'> | null | undefined,
  failure: Failure | undefined,
): Pick<Resource['stages'][number], 'engine' | 'degraded'> {
  if (failure || !output) return { engine: null, degraded: failure?.code ?? null };
  const engine = 'classification' in output ? output.classification.engine : output.engine;
  return { engine, degraded: output.degraded ?? null };
}

function sumOf(usages: readonly Usage[]): Usage {
  const sum = (field: keyof Usage) => usages.reduce((total, usage) => total + usage[field], 0);
  return { input_tokens: sum('input_tokens'), output_tokens: sum('output_tokens'), cost_usd: sum('cost_usd') };
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** For whoever looks at many records: who looks at the photo, where that is not the usual stage alone. */
export function looksField({ models }: Request): string[] {
  const looks = looksOf(models);
  return looks === usualLooks ? [] : ['looks', looks.join(',')];
}

/** The fields of stages that are taken for done when their request begins. */
export function cachedFields(outputs: Partial<Record<StageName, unknown>>, at: number): (string | number)[] {
  return Object.entries(outputs).flatMap(([stage, output]) => [
    `${stage}.status`,
    'completed',
    `${stage}.startedAt`,
    at,
    `${stage}.durationMs`,
    0,
    `${stage}.attempts`,
    0,
    `${stage}.cached`,
    1,
    `${stage}.output`,
    JSON.stringify(output),
  ]);
}
