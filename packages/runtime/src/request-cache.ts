import * as z from 'zod';
import {
  nothingUsed,
  stages,
  type ImageSource,
  type Locale,
  type Request,
  type StageOutput,
  type UsualStage,
} from '@bunri/queue-contracts';
import { cacheKey, normaliseQuestion, type ResultCache } from './cache.ts';

/** Name of the cache, as in the metric's label and the keys. */
export const requestCacheName = 'request';

/** Raised with every change of a prompt that may change an answer; part of every cache key of a model's result. */
export const promptVersions = { vision: '2', llm: '2' } as const;

/** Everything that decides the answer to an uploaded photo and can be known before any stage has run. */
export interface RequestCacheParts {
  /** Of the upload as it came, in hex; the same photo in another file is for the stages' own caches. */
  readonly sha256: string;
  readonly question: string;
  readonly locale: Locale;
  /** Of `answerModels`. */
  readonly visionModel: string;
  readonly llmModel: string;
}

/** Settings of `modelSettings`, under whose names the api looks for answers and the llm workers keep them. */
export interface AnswerSettings {
  readonly OPENAI_BASE_URL?: string | undefined;
  readonly VISION_MODEL: string;
  readonly VISION_REASONING_EFFORT?: string | undefined;
  readonly LLM_MODEL: string;
  readonly CONTEXT_TOKEN_BUDGET: number;
}

/**
 * What tells the answers of these settings from those of others: the models as they are configured, not as a provider
 * reports them, with all that decides what they say. For keys, not for people.
 */
export function answerModels(settings: AnswerSettings): { vision: string; llm: string } {
  const { OPENAI_BASE_URL, VISION_MODEL, VISION_REASONING_EFFORT, LLM_MODEL, CONTEXT_TOKEN_BUDGET } = settings;
  return {
    vision: JSON.stringify([OPENAI_BASE_URL ?? null, VISION_MODEL, VISION_REASONING_EFFORT ?? null]),
    llm: JSON.stringify([OPENAI_BASE_URL ?? null, LLM_MODEL, CONTEXT_TOKEN_BUDGET]),
  };
}

/** The outputs of all stages: what a finished record is made of. */
export const requestCacheValueSchema = z.object({
  preprocess: stages.preprocess.output,
  vision: stages.vision.output,
  rag: stages.rag.output,
  llm: stages.llm.output,
} satisfies Record<UsualStage, z.ZodObject>);
export type RequestCacheValue = { [S in UsualStage]: StageOutput<S> };

/**
 * Whether the request's answer is one to its photo and question alone, which may be kept for whoever asks the same: no
 * replay's, as it compares models, none that other models were named for, and none that somebody's word on the thing went into. What stands behind a URL may
 * change between two requests; an upload is known by its hash.
 */
export function mayKeepRequest(
  request: Request,
): request is Request & { source: Extract<ImageSource, { kind: 'upload' }> } {
  return (
    request.source.kind === 'upload' && !request.replay && !request.clarifies && !request.models && !request.region
  );
}

/** Equal for questions that differ only in case, spaces or Unicode form. */
export function requestCacheKey({ sha256, question, locale, visionModel, llmModel }: RequestCacheParts): string {
  return cacheKey([
    sha256,
    normaliseQuestion(question),
    locale,
    visionModel,
    llmModel,
    promptVersions.vision,
    promptVersions.llm,
  ]);
}

/** The finished answer to the same upload and question, or null. Whether its image still exists is the caller's to check. */
export async function lookUpRequest(cache: ResultCache, parts: RequestCacheParts): Promise<RequestCacheValue | null> {
  return await cache.get(requestCacheName, requestCacheKey(parts), requestCacheValueSchema);
}

/** Keeps a finished answer. Usage is stored as zero: whoever gets the answer from here pays for no model. */
export async function storeRequest(
  cache: ResultCache,
  parts: RequestCacheParts,
  { preprocess, vision, rag, llm }: RequestCacheValue,
): Promise<void> {
  const value: RequestCacheValue = {
    preprocess,
    vision: { ...vision, usage: nothingUsed },
    rag,
    llm: { ...llm, usage: nothingUsed },
  };
  await cache.set(requestCacheName, requestCacheKey(parts), value, { image: preprocess.sha256 });
}
