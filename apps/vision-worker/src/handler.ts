import {
  assertPricedForReplay,
  callChain,
  localName,
  rulesName,
  type Chain,
  type ChainDeps,
  type ChainLink,
  type ModelLinks,
} from '@bunri/engines';
import { catalogueVersion } from '@bunri/knowledge';
import { classificationSchema, nothingUsed, type StageInput, type StageOutput } from '@bunri/queue-contracts';
import {
  cacheKey,
  normaliseQuestion,
  PermanentError,
  promptVersions,
  replayAccount,
  type Handler,
  type HandlerContext,
  type HandlerResult,
  type ResultCache,
  type SingleFlight,
  type Storage,
} from '@bunri/runtime';
import { classify, type VisionAnswer } from './classify.ts';
import type { VisionTask } from './prompt.ts';

export interface VisionDeps extends ChainDeps {
  readonly models: ModelLinks<VisionTask, VisionAnswer>;
  readonly storage: Pick<Storage, 'getBytes'>;
  readonly cache: Pick<ResultCache, 'get' | 'set'>;
  readonly flights: Pick<SingleFlight, 'run'>;
}

type Link = ChainLink<VisionTask, VisionAnswer>;
type Input = StageInput<'vision'>;

const cacheName = 'vision';

/**
 * Photo and question in, classification out: from the cache where the same photo was asked about in the same words. Each
 * engine's answers are kept under its own key, so that no fallback's is ever taken for the first choice's.
 */
export function makeHandler(deps: VisionDeps): Handler<'vision'> {
  const { cache, flights } = deps;
  return async (input, context) => {
    const recall = async (link: Link): Promise<StageOutput<'vision'> | null> => {
      const classification = await cache.get(cacheName, visionCacheKey(input, link), classificationSchema);
      return classification && { classification, usage: nothingUsed };
    };
    const chain = chainFor(input, deps);
    const known = await recall(chain[0]);
    if (known) return { output: known, cached: true };
    const key = visionCacheKey(input, chain[0]);
    return await flights.run(key, input.request.id, async () => await look(deps, chain, input, context, recall));
  };
}

/**
 * A replay compares models, so that nothing may stand in for the one that it names; and it fails before anything is paid
 * if one that a later stage asks has no price.
 */
function chainFor({ request: { replay } }: Input, { models, prices }: VisionDeps): Chain<VisionTask, VisionAnswer> {
  if (!replay) return models.chain;
  if (replay.llmModel !== undefined && replay.llmModel !== rulesName) assertPricedForReplay(prices, replay.llmModel);
  return [replay.visionModel === undefined ? models.chain[0] : models.forModel(replay.visionModel)];
}

async function look(
  deps: VisionDeps,
  chain: Chain<VisionTask, VisionAnswer>,
  input: Input,
  { signal, log, lastAttempt }: HandlerContext,
  recall: (link: Link) => Promise<StageOutput<'vision'> | null>,
): Promise<HandlerResult<'vision'>> {
  const { owner, question, locale, createdAt, deadlineAt, replay } = input.request;
  const { output, degraded, cached } = await callChain<VisionTask, VisionAnswer, StageOutput<'vision'>>(
    chain,
    {
      stage: 'vision',
      owner: replay ? replayAccount : owner,
      createdAt,
      deadlineAt,
      lastAttempt,
      signal,
      log,
      mayHold: replay === undefined,
      recall,
      task: async () => ({ image: await readImage(deps, input, signal), question, locale }),
      accept: async (said, link) => {
        // The local model is asked without a prompt.
        const isAsked = said.engine.provider !== localName;
        const engine = { ...said.engine, ...(isAsked && { prompt_version: promptVersions.vision }) };
        const classification = classify(said.value, locale, engine);
        // Before anything else can go wrong: a run that repeats this one after a crash must not pay again.
        await deps.cache.set(cacheName, visionCacheKey(input, link), classification);
        return { classification, usage: said.usage };
      },
    },
    deps,
  );
  return { output: { ...output, ...(degraded && { degraded }) }, cached };
}

async function readImage({ storage }: VisionDeps, { preprocess }: Input, signal: AbortSignal): Promise<Uint8Array> {
  const image = await storage.getBytes(preprocess.key, signal);
  if (!image) throw new PermanentError('image_missing', 'The stored photo has been deleted. Send it again.');
  return image;
}

/** Everything that decides a classification. A replay's is its own: it finds nobody's answer, and nobody finds its. */
function visionCacheKey({ request, preprocess }: Input, { identity }: Link): string {
  return cacheKey([
    preprocess.sha256,
    normaliseQuestion(request.question),
    request.locale,
    identity,
    promptVersions.vision,
    catalogueVersion,
    ...(request.replay ? [request.id] : []),
  ]);
}
