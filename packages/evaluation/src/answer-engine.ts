import { callMetered, usageBefore, type InferenceEngine, type Prices } from '@bunri/engines';
import { checkGuidance } from '@bunri/llm-worker/check-guidance';
import { groundGuidance, type GuidanceAnswer } from '@bunri/llm-worker/guidance';
import { prompts, type GuidanceTask, type PromptVersion } from '@bunri/llm-worker/prompt';
import { rulesOnlyOutput } from '@bunri/llm-worker/rules-guidance';
import { nothingUsed, stages, type Guidance, type Usage } from '@bunri/queue-contracts';
import { RateLimitedError, TransientError, type Metrics } from '@bunri/runtime';

export interface Written {
  readonly guidance: Guidance;
  readonly usage: Usage;
  /** Why the rules answered instead of the engine; null where they did not. */
  readonly degraded: string | null;
}

/** Who writes the guidance of a case. */
export interface AnswerEngine {
  readonly name: string;
  write(task: GuidanceTask, signal: AbortSignal): Promise<Written>;
}

/** The rules alone, as they answer where no model may be asked. */
export function rulesEngine(): AnswerEngine {
  return {
    name: 'rules',
    write: async (task) => await Promise.resolve({ ...ruled(task), degraded: null }),
  };
}

export interface ModelEngineOptions {
  readonly name: string;
  readonly engine: Pick<InferenceEngine<GuidanceTask, GuidanceAnswer>, 'model' | 'predict'>;
  readonly version: PromptVersion;
  readonly prices: Prices;
  readonly metrics: Metrics;
  /** Waits out a rate limit, in milliseconds. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const mostAnswers = 2;
/** Rate limits are waited for as often, and then told. */
const mostWaits = 5;
/** As often as the pipeline tries a call whose trouble may pass; before the next try it waits, in ms. */
const mostTries = stages.llm.attempts;
const betweenTriesMs = stages.llm.backoff.delayMs;

/**
 * A model, held to the same checks as in the pipeline: told once what was wrong, after that the rules answer.
 *
 * @throws what the engine throws, rate limits beyond the fifth in a row and trouble that does not pass included.
 */
export function modelEngine({ name, engine, version, prices, metrics, sleep }: ModelEngineOptions): AnswerEngine {
  const call = async (task: GuidanceTask, signal: AbortSignal) => {
    let waits = 0;
    let tries = 1;
    for (;;) {
      try {
        return await callMetered({ engine, prices, metrics }, task, { signal });
      } catch (error) {
        if (error instanceof RateLimitedError && waits < mostWaits) {
          waits += 1;
          await sleep(error.retryAfterMs, signal);
        } else if (mayPass(error) && tries < mostTries) {
          await sleep(betweenTriesMs * 2 ** tries, signal);
          tries += 1;
        } else throw error;
      }
    }
  };
  return {
    name,
    write: async (task, signal) => {
      let usage = nothingUsed;
      let problems: readonly string[] = [];
      for (let answers = 0; answers < mostAnswers; answers += 1) {
        try {
          const said = await call(answers === 0 ? task : { ...task, problems }, signal);
          usage = sum(usage, said.usage);
          const { guidance } = groundGuidance(said.value, task.context);
          const found = checkGuidance(guidance, task, prompts[version].instructions);
          if (found.length === 0) return { guidance, usage, degraded: null };
          problems = found.map((problem) => problem.said);
        } catch (error) {
          // An answer that was no JSON of the schema was paid for, and counts as one that failed its checks.
          const paid = usageBefore(engine.model, prices, error);
          if (!paid) throw error;
          usage = sum(usage, paid);
          problems = ['The answer was not JSON of the schema.'];
        }
      }
      return { ...ruled(task), usage, degraded: 'model_output_invalid' };
    },
  };
}

/** An answer that was paid for and refused is not asked for again in the same words. */
function mayPass(error: unknown): boolean {
  return error instanceof TransientError && error.code !== 'model_output_invalid';
}

function ruled(task: GuidanceTask): Omit<Written, 'degraded'> {
  const { guidance, usage } = rulesOnlyOutput(task);
  return { guidance, usage };
}

function sum(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    cost_usd: a.cost_usd + b.cost_usd,
  };
}
