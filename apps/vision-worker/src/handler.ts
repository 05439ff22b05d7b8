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
import {
  classificationSchema,
  localModel,
  nothingUsed,
  type Classification,
  type LookStage,
  type StageInput,
  type StageOutput,
} from '@bunri/queue-contracts';
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
  /** Whose queue is served. */
  readonly stage: LookStage;
  readonly models: ModelLinks<VisionTask, VisionAnswer>;
  readonly storage: Pick<Storage, 'getBytes'>;
  readonly cache: Pick<ResultCache, 'get' | 'set'>;
  readonly flights: Pick<SingleFlight, 'run'>;
}

type Link = ChainLink<VisionTask, VisionAnswer>;
type Input = StageInput<LookStage>;
type Output = StageOutput<LookStage>;
type Result = HandlerResult<LookStage>;

const cacheName = 'vision';

/**
 * Photo and question in, classification out: from the cache where the same photo was asked about in the same words. Each
 * engine's answers are kept under its own key, so that no fallback's is ever taken for the first choice's.
 */
export function makeHandler(deps: VisionDeps): Handler<LookStage> {
  const { cache, flights } = deps;
  return async (input, context) => {
    const keyOf = cacheKeys(input);
    const recall = async (link: Link): Promise<Output | null> => {
      const classification = await cache.get(cacheName, keyOf(link), classificationSchema);
      return classification && { classification, usage: nothingUsed };
    };
    const chain = chainFor(input, deps);
    const known = async (): Promise<Result | null> => {
      const output = await recall(chain[0]);
      return output && { output, cached: true };
    };
    const image = input.preprocess.sha256;
    return await flights.run(keyOf(chain[0]), input.request.id, known, async (until) => {
      const keep = (link: Link, classification: Classification) =>
        until(cache.set(cacheName, keyOf(link), classification, { image }));
      return await look({ deps, chain, input, context, recall, keep });
    });
  };
}

/**
 * A replay compares models, so that nothing may stand in for the one that it names; and it fails before anything is paid
 * if one that a later stage asks has no price. Where the local model looks too, it does not stand in here: two opinions of
 * the same model would always agree.
 */
function chainFor(
  { request: { replay, models: asked = [] } }: Input,
  { models, prices, stage }: VisionDeps,
): Chain<VisionTask, VisionAnswer> {
  const named = stage === 'vision' ? asked.find((model) => model !== localModel) : undefined;
  const [usual, ...others] = models.chain;
  if (replay) {
    if (replay.llmModel !== undefined && replay.llmModel !== rulesName) assertPricedForReplay(prices, replay.llmModel);
    const compared = replay.visionModel ?? named;
    return [compared === undefined ? usual : models.forModel(compared)];
  }
  if (named === undefined) return models.chain;
  const first = models.forModel(named);
  const isEnsemble = asked.includes(localModel);
  return [first, ...others.filter((link) => link.name !== first.name && !(isEnsemble && link.isFree))];
}

interface Looking {
  readonly deps: VisionDeps;
  readonly chain: Chain<VisionTask, VisionAnswer>;
  readonly input: Input;
  readonly context: HandlerContext;
  readonly recall: (link: Link) => Promise<Output | null>;
  readonly keep: (link: Link, classification: Classification) => void;
}

async function look({ deps, chain, input, context, recall, keep }: Looking): Promise<Result> {
  const { signal, log, lastAttempt } = context;
  const { owner, question, locale, createdAt, deadlineAt, replay } = input.request;
  const { output, degraded, cached } = await callChain<VisionTask, VisionAnswer, Output>(
    chain,
    {
      stage: deps.stage,
      owner: replay ? replayAccount : owner,
      createdAt,
      deadlineAt,
      lastAttempt,
      signal,
      log,
      mayHold: replay === undefined,
      // The first has been looked for with the lease.
      recall: async (link) => (link === chain[0] ? null : await recall(link)),
      task: async () => ({ image: await readImage(deps, input, signal), question, locale }),
      accept: async (said, link) => {
        // The local model is asked without a prompt.
        const isAsked = said.engine.provider !== localName;
        const engine = { ...said.engine, ...(isAsked && { prompt_version: promptVersions.vision }) };
        const classification = classify(said.value, locale, engine);
        // Before anything else can go wrong: a run that repeats this one after a crash must not pay again.
        keep(link, classification);
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

/**
 * By engine, the key of everything that decides a classification; the same four times a run. A replay's is its own: it finds
 * nobody's answer, and nobody finds its.
 */
function cacheKeys({ request, preprocess }: Input): (link: Link) => string {
  const known = new Map<string, string>();
  const question = normaliseQuestion(request.question);
  return ({ identity }) => {
    const key =
      known.get(identity) ??
      cacheKey([
        preprocess.sha256,
        question,
        request.locale,
        identity,
        promptVersions.vision,
        catalogueVersion,
        ...(request.replay ? [request.id] : []),
      ]);
    known.set(identity, key);
    return key;
  };
}
