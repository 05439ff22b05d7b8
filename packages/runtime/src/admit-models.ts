import type { Redis } from 'ioredis';
import * as z from 'zod';
import { localModel } from '@bunri/queue-contracts';
import { readSlots } from './stage-slots.ts';

/** `VISION_MODELS`: what a request may name besides VISION_MODEL. The api and the vision workers must be told the same. */
export const visionModelsSetting = z
  .string()
  .regex(/^[\w.:/-]{1,64}(,[\w.:/-]{1,64})*$/, 'must be names of models with commas between them')
  .optional()
  .transform((list): readonly string[] => list?.split(',') ?? [])
  .meta({ description: 'models of the API that a request may name besides VISION_MODEL, with commas between them' });

export type ModelsVerdict =
  | { outcome: 'admitted' }
  /** `unknown`: the request is wrong; `unserved`: the same may be admitted later. `message` says what to do. */
  | { outcome: 'refused'; reason: 'unknown' | 'unserved'; message: string };

/**
 * Whether the models that a request names may look at its photo: one model of the API that is VISION_MODEL or allowed
 * beside it, or the local one, or one of each. Pure.
 *
 * @param localServed whether a worker of `vision.local` lives
 */
export function admitModels(
  models: readonly string[],
  { vision, allowed, localServed }: { vision: string; allowed: readonly string[]; localServed: boolean },
): ModelsVerdict {
  const known = [...new Set([...(vision === localModel ? [] : [vision]), ...allowed])];
  const ofApi = models.filter((model) => model !== localModel);
  const refused = (reason: 'unknown' | 'unserved', message: string) =>
    ({ outcome: 'refused', reason, message }) as const;
  const stranger = ofApi.find((model) => !known.includes(model));
  if (stranger !== undefined) {
    return refused(
      'unknown',
      `names ${stranger}, which is not served here; name one of ${[...known, localModel].join(', ')}`,
    );
  }
  if (models.length === 0 || ofApi.length > 1 || models.length - ofApi.length > 1) {
    return refused('unknown', `must name one model of the API, or ${localModel}, or one of each`);
  }
  if (models.includes(localModel) && !localServed) {
    return refused('unserved', `names ${localModel}, for which no worker runs now; leave it out, or try again later`);
  }
  return { outcome: 'admitted' };
}

/** Whether a worker of `vision.local` lives. Asked only for requests that name the local model. */
export async function isLocalServed(redis: Redis, prefix: string): Promise<boolean> {
  return (await readSlots(redis, prefix, 'vision.local')).workers > 0;
}
