import { callMetered, partialAnswer, type MeteredModel } from '@bunri/engines';
import { nothingUsed, stages, type StageInput, type StageOutput } from '@bunri/queue-contracts';
import {
  cacheKey,
  normaliseQuestion,
  promptVersions,
  storeRequest,
  type Handler,
  type HandlerContext,
  type ResultCache,
  type SingleFlight,
} from '@bunri/runtime';
import { groundGuidance, type GuidanceAnswer } from './guidance.ts';
import type { GuidanceTask } from './prompt.ts';

export interface GuidanceDeps extends MeteredModel<GuidanceTask, GuidanceAnswer> {
  readonly cache: ResultCache;
  readonly flights: Pick<SingleFlight, 'run'>;
  /** The configured model of the vision workers: a finished request is kept under the names of both models. */
  readonly visionModel: string;
}

const cacheName = 'answer';

/**
 * Question, classification and rules in, guidance out. Before it returns, the finished request is kept for the api, which
 * then answers the same upload and question at once. Should the process die between the two, the run that repeats this
 * one finds the answer in the cache and keeps the same again.
 */
export function makeHandler(deps: GuidanceDeps): Handler<'llm'> {
  const { cache, engine, flights } = deps;
  const recall = async (key: string) => {
    const output = await cache.get(cacheName, key, stages.llm.output);
    return output && { output, cached: true };
  };
  const write = async (key: string, input: StageInput<'llm'>, context: HandlerContext) => {
    const output = await writeGuidance(deps, input, context);
    // Before anything else can go wrong: a run that repeats this one after a crash must not pay again.
    await cache.set(cacheName, key, { ...output, usage: nothingUsed });
    return { output, cached: false };
  };
  return async (input, context) => {
    const key = answerCacheKey(input, engine.model);
    const known = await recall(key);
    const result =
      known ??
      (await flights.run(key, input.request.id, async () => (await recall(key)) ?? (await write(key, input, context))));
    await keepRequest(deps, input, result.output);
    return result;
  };
}

async function writeGuidance(
  deps: GuidanceDeps,
  { request, vision, rag }: StageInput<'llm'>,
  { signal, onAnswer }: HandlerContext,
): Promise<StageOutput<'llm'>> {
  const { question, locale } = request;
  const task = { question, locale, classification: vision.classification, context: rag };
  const { value, engine, usage } = await callMetered(deps, task, {
    signal,
    onText: (_task, textSoFar) => onAnswer(partialAnswer(textSoFar)),
  });
  const { guidance, droppedSteps } = groundGuidance(value, rag);
  deps.metrics.droppedSteps.inc(droppedSteps);
  return { guidance, engine, usage, droppedSteps };
}

/** Everything that decides a guidance: of the classification what was seen, not who saw it; of the rules every word that matters. */
function answerCacheKey({ request, preprocess, vision, rag }: StageInput<'llm'>, model: string): string {
  const { engine: _engine, ...seen } = vision.classification;
  // Another edition of the catalogue is no reason to pay again where it says the same about this item.
  const { catalogue_version: _version, ...rules } = rag;
  return cacheKey([
    preprocess.sha256,
    normaliseQuestion(request.question),
    request.locale,
    seen,
    rules,
    model,
    promptVersions.llm,
  ]);
}

async function keepRequest(
  { cache, engine, visionModel }: GuidanceDeps,
  { request, preprocess, vision, rag }: StageInput<'llm'>,
  llm: StageOutput<'llm'>,
): Promise<void> {
  const { source, question, locale } = request;
  // What stands behind a URL may change between two requests; an upload is known by its hash.
  if (source.kind !== 'upload') return;
  const parts = { sha256: source.sha256, question, locale, visionModel, llmModel: engine.model };
  await storeRequest(cache, parts, { preprocess, vision, rag, llm });
}
