import { callChain, partialAnswer, type Chain, type ChainDeps, type ChainLink, type ModelLinks } from '@bunri/engines';
import { nothingUsed, stages, type StageInput, type StageOutput } from '@bunri/queue-contracts';
import {
  cacheKey,
  normaliseQuestion,
  promptVersions,
  replayAccount,
  storeRequest,
  type answerModels,
  type Handler,
  type HandlerContext,
  type HandlerResult,
  type ResultCache,
  type SingleFlight,
} from '@bunri/runtime';
import { groundGuidance, type GuidanceAnswer } from './guidance.ts';
import type { GuidanceTask } from './prompt.ts';
import { rulesOnlyOutput } from './rules-guidance.ts';

export interface GuidanceDeps extends ChainDeps {
  readonly models: ModelLinks<GuidanceTask, GuidanceAnswer>;
  /** Whether guidance is made from the rules alone where no model may be asked. */
  readonly rules: boolean;
  readonly cache: ResultCache;
  readonly flights: Pick<SingleFlight, 'run'>;
  /** Under whose names the api looks for a finished request. */
  readonly answeredBy: ReturnType<typeof answerModels>;
}

type Link = ChainLink<GuidanceTask, GuidanceAnswer>;
type Input = StageInput<'llm'>;
type Output = StageOutput<'llm'>;

const cacheName = 'answer';

/**
 * Question, classification and rules in, guidance out. Before it returns, the finished request is kept for the api, which
 * then answers the same upload and question at once. Should the process die between the two, the run that repeats this
 * one finds the answer in the cache and keeps the same again. Each engine's answers are kept under its own key, so that no
 * fallback's is ever taken for the first choice's.
 */
export function makeHandler(deps: GuidanceDeps): Handler<'llm'> {
  const { cache, flights } = deps;
  return async (input, context) => {
    const recall = async (link: Link) => await cache.get(cacheName, answerCacheKey(input, link), stages.llm.output);
    const chain = chainFor(input, deps);
    const known = await recall(chain[0]);
    const result = known
      ? { output: known, cached: true }
      : await flights.run(
          answerCacheKey(input, chain[0]),
          input.request.id,
          async () => await write(deps, chain, input, context, recall),
        );
    await keepRequest(deps, input, result.output);
    return result;
  };
}

/** A replay compares models, so that nothing may stand in for the one that it names. */
function chainFor({ request: { replay } }: Input, { models }: GuidanceDeps): Chain<GuidanceTask, GuidanceAnswer> {
  if (!replay) return models.chain;
  return [replay.llmModel === undefined ? models.chain[0] : models.forModel(replay.llmModel)];
}

async function write(
  deps: GuidanceDeps,
  chain: Chain<GuidanceTask, GuidanceAnswer>,
  input: Input,
  { signal, log, lastAttempt, onAnswer }: HandlerContext,
  recall: (link: Link) => Promise<Output | null>,
): Promise<HandlerResult<'llm'>> {
  const { request, vision, rag } = input;
  const { owner, question, locale, createdAt, deadlineAt, replay } = request;
  const { output, degraded, cached } = await callChain<GuidanceTask, GuidanceAnswer, Output>(
    chain,
    {
      stage: 'llm',
      owner: replay ? replayAccount : owner,
      createdAt,
      deadlineAt,
      lastAttempt,
      signal,
      log,
      mayHold: replay === undefined,
      recall,
      task: async () => ({ question, locale, classification: vision.classification, context: rag }),
      onText: (textSoFar) => onAnswer(() => partialAnswer(textSoFar)),
      accept: async (said, link) => {
        const { guidance, droppedSteps } = groundGuidance(said.value, rag);
        deps.metrics.droppedSteps.inc(droppedSteps);
        const engine = { ...said.engine, prompt_version: promptVersions.llm };
        const written = { guidance, engine, usage: said.usage, droppedSteps };
        // Before anything else can go wrong: a run that repeats this one after a crash must not pay again.
        await deps.cache.set(cacheName, answerCacheKey(input, link), { ...written, usage: nothingUsed });
        return written;
      },
      ...(deps.rules && !replay
        ? { lastResort: () => rulesOnlyOutput({ classification: vision.classification, context: rag, locale }) }
        : {}),
    },
    deps,
  );
  return { output: { ...output, ...(degraded && { degraded }) }, cached };
}

/**
 * Everything that decides a guidance: of the classification what was seen, not who saw it; of the rules every word that
 * matters. A replay's is its own: it finds nobody's answer, and nobody finds its.
 */
function answerCacheKey({ request, preprocess, vision, rag }: Input, { identity }: Link): string {
  const { engine: _engine, ...seen } = vision.classification;
  // Another edition of the catalogue is no reason to pay again where it says the same about this item.
  const { catalogue_version: _version, ...rules } = rag;
  return cacheKey([
    preprocess.sha256,
    normaliseQuestion(request.question),
    request.locale,
    seen,
    rules,
    identity,
    promptVersions.llm,
    ...(request.replay ? [request.id] : []),
  ]);
}

/** What the api may give to whoever asks the same: the first choices' answers alone, asked in the usual way. */
async function keepRequest(
  { cache, answeredBy }: GuidanceDeps,
  { request, preprocess, vision, rag }: Input,
  llm: Output,
): Promise<void> {
  const { source, question, locale, replay } = request;
  if (replay || vision.degraded || llm.degraded) return;
  // What stands behind a URL may change between two requests; an upload is known by its hash.
  if (source.kind !== 'upload') return;
  const parts = { sha256: source.sha256, question, locale, visionModel: answeredBy.vision, llmModel: answeredBy.llm };
  await storeRequest(cache, parts, { preprocess, vision, rag, llm });
}
