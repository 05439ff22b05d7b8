import * as z from 'zod';
import {
  classificationSchema,
  contextSchema,
  engineSchema,
  guidanceSchema,
  requestSchema,
  sha256Schema,
  usageSchema,
} from './schemas.ts';
import { failureCodes } from './failures.ts';

/** A stage is routed by the resource that it waits for, not by how its pool is built. */
export type ResourceClass = 'io' | 'cpu' | 'network' | 'accelerator' | 'control';

/**
 * Everything that the system knows about a stage before it runs. A stage reads the immutable request and the outputs of
 * the stages named as further keys of `input`; the runtime assembles and validates both sides.
 */
export interface StageDefinition {
  /** BullMQ queue, metric label, log field, Helm key and app prefix: one word everywhere. */
  readonly queue: string;
  readonly resource: ResourceClass;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  /** Runs that may fail before the request does. Rate limits, shutdowns and lost workers spend none. */
  readonly attempts: number;
  /** Exponential from `delayMs`, capped at `maxDelayMs`; `jitter` is the share of the delay that is random. */
  readonly backoff: { readonly delayMs: number; readonly maxDelayMs: number; readonly jitter: number };
  readonly timeoutMs: number;
  /** Jobs in flight in one process. */
  readonly concurrency: number;
  /** Processes of the two-node placement. */
  readonly replicas: number;
}

const preprocessOutput = z.object({
  sha256: sha256Schema,
  key: z.string().min(1),
  width: z.int().positive(),
  height: z.int().positive(),
  sizeBytes: z.int().positive(),
});

const degraded = z
  .enum(failureCodes)
  .optional()
  .meta({ description: 'Present where a fallback made the output: why the first choice did not.' });

const visionOutput = z.object({ classification: classificationSchema, usage: usageSchema, degraded });

const llmOutput = z.object({
  guidance: guidanceSchema,
  engine: engineSchema,
  usage: usageSchema,
  degraded,
  droppedSteps: z.int().nonnegative().meta({ description: 'Steps of the model that cited no rule of the context.' }),
});

const catalogue = {
  preprocess: {
    queue: 'preprocess',
    resource: 'io',
    input: z.object({ request: requestSchema }),
    output: preprocessOutput,
    attempts: 4,
    backoff: { delayMs: 500, maxDelayMs: 10_000, jitter: 0.5 },
    timeoutMs: 30_000,
    concurrency: 8,
    replicas: 3,
  },
  vision: {
    queue: 'vision',
    resource: 'network',
    input: z.object({ request: requestSchema, preprocess: preprocessOutput }),
    output: visionOutput,
    attempts: 4,
    backoff: { delayMs: 1_000, maxDelayMs: 15_000, jitter: 0.5 },
    timeoutMs: 45_000,
    concurrency: 20,
    replicas: 5,
  },
  'vision.local': {
    queue: 'vision.local',
    resource: 'accelerator',
    input: z.object({ request: requestSchema, preprocess: preprocessOutput }),
    output: visionOutput,
    attempts: 3,
    backoff: { delayMs: 500, maxDelayMs: 5_000, jitter: 0.5 },
    timeoutMs: 60_000,
    concurrency: 1,
    replicas: 0,
  },
  rag: {
    queue: 'rag',
    resource: 'cpu',
    input: z.object({
      request: requestSchema,
      vision: visionOutput,
      secondOpinion: visionOutput
        .optional()
        .meta({ description: 'What another engine saw in the same photo, where two were asked and both answered.' }),
    }),
    output: contextSchema,
    attempts: 2,
    backoff: { delayMs: 200, maxDelayMs: 1_000, jitter: 0.5 },
    timeoutMs: 5_000,
    concurrency: 4,
    replicas: 2,
  },
  llm: {
    queue: 'llm',
    resource: 'network',
    input: z.object({
      request: requestSchema,
      preprocess: preprocessOutput,
      vision: visionOutput,
      rag: contextSchema,
    }),
    output: llmOutput,
    attempts: 4,
    backoff: { delayMs: 500, maxDelayMs: 10_000, jitter: 0.5 },
    timeoutMs: 30_000,
    concurrency: 10,
    replicas: 3,
  },
} as const satisfies Record<string, StageDefinition>;

export type StageName = keyof typeof catalogue;
/** A stage of an ordinary request. */
export type UsualStage = Exclude<StageName, 'vision.local'>;
export type StageInput<S extends StageName> = z.infer<(typeof catalogue)[S]['input']>;
export type StageOutput<S extends StageName> = z.infer<(typeof catalogue)[S]['output']>;

export const stages: { readonly [S in StageName]: StageDefinition & (typeof catalogue)[S] } = catalogue;
export const stageNames = Object.keys(catalogue) as StageName[];

/** The stages that look at a photo: `vision` asks an API, `vision.local` the model that ships with bunri. */
export const lookStages = ['vision', 'vision.local'] as const satisfies readonly StageName[];
export type LookStage = (typeof lookStages)[number];
/** Who looks at the photo of an ordinary request. */
export const usualLooks: readonly LookStage[] = ['vision'];

export function isLookStage(stage: StageName): stage is LookStage {
  return lookStages.some((look) => look === stage);
}

const reads = Object.fromEntries(
  stageNames.map((stage) => [
    stage,
    Object.keys(stages[stage].input.shape).filter((key): key is StageName => key in catalogue),
  ]),
) as Record<StageName, StageName[]>;

/** The stages whose outputs this stage reads, taken from the keys of its input schema; `vision` stands for whoever looks. */
export function stageReads(stage: StageName, looks: readonly LookStage[] = usualLooks): StageName[] {
  if (looks === usualLooks) return reads[stage];
  return reads[stage].flatMap((read): readonly StageName[] => (read === 'vision' ? looks : [read]));
}

/** Version of the job's payload, raised when older workers could not work on it rightly. */
export const jobDataVersion = 2;

/**
 * What a BullMQ job carries: a reference to the record, nothing else. `generation` counts how often the request was
 * retried after it had failed; the jobs of an earlier generation are void. A job without `looks` is still written in the
 * first version, so that workers of the release before go on with ordinary requests.
 */
export const jobDataSchema = z.object({
  v: z.union([z.literal(1), z.literal(jobDataVersion)]),
  requestId: requestSchema.shape.id,
  deadlineAt: z.int(),
  generation: z.int().positive().optional(),
  looks: z
    .array(z.enum(lookStages))
    .min(1)
    .optional()
    .meta({ description: 'The stages that look at the photo, where these are not the usual one alone.' }),
  trace: requestSchema.shape.trace.meta({ description: 'As in the request; it is to be known before that is read.' }),
});
export type JobData = z.infer<typeof jobDataSchema>;
