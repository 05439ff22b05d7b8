import * as z from 'zod';
import { defaultPrefix } from '@bunri/queue-contracts';
import { redisUrlSchema } from './redis-url.ts';
import { tracingSettings } from './tracing-settings.ts';

/** Every problem of a configuration at once, each by the name of its setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads settings from an environment. An empty value counts as absent, as shells and charts produce it.
 * @throws ConfigError naming every setting that is missing or wrong.
 */
export function parseConfig<Schema extends z.ZodObject>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.infer<Schema> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, env[name] === '' ? undefined : env[name]]),
  );
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const name = String(issue.path[0] ?? 'configuration');
    const absent = given[name] === undefined;
    const description = schema.shape[name]?.meta()?.description;
    return `  ${name}: ${absent ? 'is required' : issue.message}${description ? ` (${description})` : ''}`;
  });
  throw new ConfigError(`The configuration is not usable:\n${problems.join('\n')}`);
}

const duration = z.coerce.number().int().positive();

/** Settings that every process has. */
export const processSettings = {
  REDIS_URL: redisUrlSchema.meta({
    description:
      'redis:// or rediss:// URL of the Redis that holds queues and records; redis+sentinel://:<password>@<name of the primary>?sentinels=<host>:<port>,… where Sentinel watches it; redis+cluster://:<password>@<host>:<port>?nodes=<host>:<port>,… for a Redis Cluster',
  }),
  REDIS_PREFIX: z
    .string()
    .regex(/^\{[\w-]+\}$/, 'must be one name in braces, such as {bunri}')
    .default(defaultPrefix)
    .meta({ description: 'prefix of every key; the braces keep a cluster to one slot' }),
  LOG_LEVEL: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .meta({ description: 'least severe level that is logged' }),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .meta({ description: 'port of the HTTP server; 0 takes a free one' }),
  RECORD_RETENTION_HOURS: duration
    .default(24)
    .meta({ description: 'hours for which a finished request can be read; the same in every app' }),
  DEAD_LETTER_RETENTION_HOURS: duration.default(168).meta({
    description: 'hours for which a request that failed on our side is kept to be retried; the same in every app',
  }),
  CACHE_RETENTION_HOURS: duration
    .default(24)
    .meta({ description: 'hours for which a result is reused; the same in every app' }),
  GRACE_MS: duration.default(25_000).meta({ description: 'how long a stopping process may finish its work, ms' }),
  ...tracingSettings,
};

/** Settings of the processes that read or write objects. */
export const storageSettings = {
  S3_BUCKET: z.string().min(3).meta({ description: 'bucket of uploads and normalised images' }),
  S3_REGION: z.string().min(1).default('us-east-1').meta({ description: 'region of the bucket' }),
  S3_ENDPOINT: z.url().optional().meta({ description: 'URL of an S3-compatible server; without it AWS itself' }),
  S3_ACCESS_KEY_ID: z
    .string()
    .optional()
    .meta({ description: 'access key; without it the default AWS credential chain' }),
  S3_SECRET_ACCESS_KEY: z.string().optional().meta({ description: 'secret of the access key' }),
};

/** Settings of the processes that work on a queue. */
export const workerSettings = {
  CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'jobs in flight in this process; without it the stage catalogue decides' }),
};

const OPENAI_BASE_URL = z
  .url()
  .optional()
  .meta({ description: 'base URL of an OpenAI-compatible API; without it OpenAI itself' });

/**
 * What decides an answer, besides photo and question. The api and the llm workers know all of it, since answers are kept
 * under it (`answerModels`); a chart must give every app the same.
 */
export const modelSettings = {
  VISION_MODEL: z.string().min(1).default('gpt-5').meta({
    description: 'model that looks at the photo; local: the one that ships with bunri, which knows materials',
  }),
  VISION_REASONING_EFFORT: z.enum(['none', 'minimal', 'low', 'medium', 'high']).optional().meta({
    description: 'how long VISION_MODEL may think, if it reasons; other models refuse it; without it their own default',
  }),
  LLM_MODEL: z
    .string()
    .min(1)
    .default('gpt-4o-mini')
    .meta({ description: 'model that writes the guidance; rules: it is made from the rules alone, without a model' }),
  CONTEXT_TOKEN_BUDGET: z.coerce
    .number()
    .int()
    .positive()
    .default(800)
    .meta({ description: 'estimated tokens of rules that an answer may be made from' }),
  OPENAI_BASE_URL,
};

/** Settings of the processes that call a model API. */
export const modelApiSettings = {
  OPENAI_API_KEY: z.string().min(1).meta({ description: 'key of the model API' }),
  OPENAI_BASE_URL,
  FALLBACK_API_KEY: z.string().min(1).optional().meta({ description: 'key of a second model API, for fallbacks' }),
  FALLBACK_BASE_URL: z.url().optional().meta({ description: 'base URL of the second model API' }),
  MODEL_PRICES: z
    .string()
    .optional()
    .meta({ description: 'JSON of prices per model that are added to the built-in table' }),
  MODEL_LIMITS: z.string().optional().meta({
    description:
      'JSON of what may be asked of a model in a minute, such as {"gpt-5":{"requestsPerMinute":500,"tokensPerMinute":30000}}; the API may tell less',
  }),
};

/** For processes that may do without any model API; whether they do, their other settings say. */
export const optionalModelKey = z.string().min(1).optional().meta({
  description: 'key of the model API; required where VISION_MODEL, LLM_MODEL or a fallback names a model of it',
});

const chainDescription = (more: string) =>
  `who answers when the model cannot, in order: none, or a list of primary:<model> (at OPENAI_BASE_URL) and fallback:<model> (at FALLBACK_BASE_URL)${more}`;

/** Settings of the processes that hold local models. */
export const localModelSettings = {
  LOCAL_MODEL_MEMORY_MIB: z.coerce
    .number()
    .int()
    .positive()
    .default(384)
    .meta({ description: 'memory that the local models of this process may hold together, MiB' }),
  LOCAL_MODEL_IDLE_MINUTES: z.coerce.number().positive().default(60).meta({
    description: 'minutes after which a local model that nobody uses is unloaded, at the next hourly clean-up',
  }),
};

/** Settings of one stage each. The syntax is checked here, the references by whoever knows the providers and the prices. */
export const fallbackSettings = {
  VISION_FALLBACKS: z
    .string()
    .regex(
      /^(none|local|(primary|fallback):[^\s,]+(,(primary|fallback):[^\s,]+)*(,local)?)$/,
      'must be none or a list such as primary:gpt-4o,fallback:qwen2.5-vl,local, local last',
    )
    .default('none')
    .meta({ description: chainDescription(', and local (the model that ships with bunri), which comes last') }),
  LLM_FALLBACKS: z
    .string()
    .regex(
      /^(none|rules|(primary|fallback):[^\s,]+(,(primary|fallback):[^\s,]+)*(,rules)?)$/,
      'must be none or a list such as primary:gpt-4o,fallback:qwen2.5,rules, rules last',
    )
    .default('rules')
    .meta({
      description: chainDescription(', and rules (made from the rules alone, without a model), which comes last'),
    }),
};

const usdADay = z.coerce.number().positive().optional();

/** Settings of the processes that spend, or that tell clients what may be spent. A day begins at midnight in Seoul. */
export const spendingSettings = {
  SPENDING_CAP_USD_PER_DAY: usdADay.meta({ description: 'what models may cost a day in all, USD; without it no cap' }),
  SPENDING_CAP_USD_PER_OWNER: usdADay.meta({
    description: 'what models may cost a day by owner, USD; without it no cap',
  }),
};
