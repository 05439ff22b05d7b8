import { localName, type Chain, type ChainDeps, type ModelLinks } from '@bunri/engines';
import { nothingUsed, stages, type StageInput, type StageOutput } from '@bunri/queue-contracts';
import {
  cacheKey,
  mayKeepRequest,
  normaliseQuestion,
  promptVersions,
  storeRequest,
  type answerModels,
  type Handler,
  type HandlerResult,
  type ResultCache,
  type SingleFlight,
} from '@bunri/runtime';
import type { GuidanceAnswer } from './guidance.ts';
import type { GuidanceTask, PromptVersion } from './prompt.ts';
import { refusalsOf, type Refusal } from './refusals.ts';
import { writeGuidance, type Link } from './write-guidance.ts';

export interface GuidanceDeps extends ChainDeps {
  readonly models: ModelLinks<GuidanceTask, GuidanceAnswer>;
  /** Whether guidance is made from the rules alone where no model may be asked, or none wrote what can be used. */
  readonly rules: boolean;
  /** Of the prompt that the models are asked with, where it is not the one in use. */
  readonly promptVersion?: PromptVersion;
  readonly cache: ResultCache;
  readonly flights: Pick<SingleFlight, 'run'>;
  /** Under whose names the api looks for a finished request. */
  readonly answeredBy: ReturnType<typeof answerModels>;
}

type Input = StageInput<'llm'>;
type Output = StageOutput<'llm'>;

const cacheName = 'answer';

/**
 * Question, classification and rules in, guidance out. Before it returns, the finished request is sent to the cache for the
 * api, which then answers the same upload and question at once. Should the process die between the two, the run that repeats this
 * one finds the answer in the cache and keeps the same again. Each engine's answers are kept under its own key, so that no
 * fallback's is ever taken for the first choice's.
 */
export function makeHandler(deps: GuidanceDeps): Handler<'llm'> {
  const { cache, flights, promptVersion = promptVersions.llm } = deps;
  return async (input, context) => {
    const answerKey = cacheKeys(input, promptVersion);
    const recall = async (link: Link) => await cache.get(cacheName, answerKey(link), stages.llm.output);
    const chain = chainFor(input, deps);
    const rules = deps.rules && !input.request.replay;
    let refused: Refusal | null = null;
    const look = async (): Promise<HandlerResult<'llm'> | null> => {
      const key = answerKey(chain[0]);
      const [known, before] = await Promise.all([recall(chain[0]), refusalsOf(cache, input.request.id).find(key)]);
      refused = before;
      return known && { output: known, cached: true };
    };
    const writing = { deps, chain, input, context, promptVersion, rules, recall, answerKey };
    const result = await flights.run(answerKey(chain[0]), input.request.id, look, async (until) => {
      const keep = (link: Link, output: Output) =>
        until(cache.set(cacheName, answerKey(link), { ...output, usage: nothingUsed }));
      return await writeGuidance({ ...writing, refused, keep });
    });
    keepRequest(deps, input, result.output);
    return result;
  };
}

/** A replay compares models, so that nothing may stand in for the one that it names. */
function chainFor({ request: { replay } }: Input, { models }: GuidanceDeps): Chain<GuidanceTask, GuidanceAnswer> {
  if (!replay) return models.chain;
  return [replay.llmModel === undefined ? models.chain[0] : models.forModel(replay.llmModel)];
}

/**
 * By engine, the key of everything that decides a guidance; the same four times a run: of the classification what was seen,
 * not who saw it; of the rules every word that matters. A replay's is its own: it finds nobody's answer, and nobody finds its.
 */
function cacheKeys({ request, preprocess, vision, rag }: Input, promptVersion: PromptVersion): (link: Link) => string {
  const { engine: _engine, ...seen } = vision.classification;
  // Another edition of the catalogue is no reason to pay again where it says the same about this item.
  const { catalogue_version: _version, ...rules } = rag;
  const question = normaliseQuestion(request.question);
  const known = new Map<string, string>();
  return ({ identity }) => {
    const key =
      known.get(identity) ??
      cacheKey([
        preprocess.sha256,
        question,
        request.locale,
        seen,
        rules,
        identity,
        promptVersion,
        ...(request.replay ? [request.id] : []),
      ]);
    known.set(identity, key);
    return key;
  };
}

/**
 * What the api may give to whoever asks the same: the first choices' answers alone, asked in the usual way. None of the local
 * model's, since the settings that the api knows do not tell one head of it from the next, and looking again costs nothing.
 */
function keepRequest(
  { cache, answeredBy }: GuidanceDeps,
  { request, preprocess, vision, rag }: Input,
  llm: Output,
): void {
  if (!mayKeepRequest(request) || vision.degraded || llm.degraded) return;
  if (vision.classification.engine.provider === localName) return;
  const { source, question, locale } = request;
  const parts = { sha256: source.sha256, question, locale, visionModel: answeredBy.vision, llmModel: answeredBy.llm };
  void storeRequest(cache, parts, { preprocess, vision, rag, llm });
}
