import { callMetered, type MeteredModel } from '@bunri/engines';
import { catalogueVersion } from '@bunri/knowledge';
import {
  classificationSchema,
  nothingUsed,
  type Request,
  type StageInput,
  type StageOutput,
} from '@bunri/queue-contracts';
import {
  cacheKey,
  normaliseQuestion,
  PermanentError,
  promptVersions,
  type Handler,
  type HandlerResult,
  type ResultCache,
  type SingleFlight,
  type Storage,
} from '@bunri/runtime';
import type { ReasoningEffort } from './config.ts';
import { classify, type VisionAnswer } from './classify.ts';
import type { VisionTask } from './prompt.ts';

export interface VisionDeps extends MeteredModel<VisionTask, VisionAnswer> {
  readonly storage: Pick<Storage, 'getBytes'>;
  readonly cache: ResultCache;
  readonly flights: Pick<SingleFlight, 'run'>;
  /** How long the model may think, where that is set: another effort may see another thing. */
  readonly effort?: ReasoningEffort | undefined;
}

const cacheName = 'vision';

/** Photo and question in, classification out: from the cache where the same photo was asked about in the same words. */
export function makeHandler(deps: VisionDeps): Handler<'vision'> {
  const { storage, cache, flights } = deps;
  const recall = async (key: string) => {
    const classification = await cache.get(cacheName, key, classificationSchema);
    return classification && { output: { classification, usage: nothingUsed }, cached: true };
  };
  return async ({ request, preprocess }, { signal }) => {
    const key = visionCacheKey({ request, preprocess }, deps);
    const known = await recall(key);
    if (known) return known;
    return await flights.run(
      key,
      request.id,
      async () => (await recall(key)) ?? (await look(key, request, preprocess, signal)),
    );
  };

  async function look(
    key: string,
    { question, locale }: Request,
    preprocess: StageOutput<'preprocess'>,
    signal: AbortSignal,
  ): Promise<HandlerResult<'vision'>> {
    const image = await storage.getBytes(preprocess.key, signal);
    if (!image) throw new PermanentError('image_missing', 'The stored photo has been deleted. Send it again.');
    const { value, engine: answeredBy, usage } = await callMetered(deps, { image, question, locale }, { signal });
    const classification = classify(value, locale, answeredBy);
    // Before anything else can go wrong: a run that repeats this one after a crash must not pay again.
    await cache.set(cacheName, key, classification);
    return { output: { classification, usage }, cached: false };
  }
}

/** Everything that decides a classification. */
function visionCacheKey(
  { request, preprocess }: StageInput<'vision'>,
  { engine: { model }, effort }: VisionDeps,
): string {
  return cacheKey([
    preprocess.sha256,
    normaliseQuestion(request.question),
    request.locale,
    model,
    promptVersions.vision,
    effort ?? null,
    catalogueVersion,
  ]);
}
