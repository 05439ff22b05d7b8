import type { Redis } from 'ioredis';
import { localModel } from '@bunri/queue-contracts';
import { admitModels, isLocalServed } from '@bunri/runtime';
import { Problem } from './problem.ts';

export interface ModelAdmission {
  /** Refuses models that no request may name. @throws Problem `model_unknown` */
  readonly admitModels: (models: readonly string[]) => void;
  /** Refuses models that nobody serves now. @throws Problem `model_unknown` */
  readonly requireServed: (models: readonly string[]) => Promise<void>;
}

/** @param settings the configured model of vision, and what a request may name besides */
export function createModelAdmission(
  { redis, prefix }: { redis: Redis; prefix: string },
  settings: { vision: string; allowed: readonly string[] },
): ModelAdmission {
  const admit = (models: readonly string[], localServed: boolean) => {
    const verdict = admitModels(models, { ...settings, localServed });
    if (verdict.outcome === 'admitted') return;
    throw new Problem('model_unknown', `Correct models, or leave it out: it ${verdict.message}.`);
  };
  return {
    admitModels: (models) => admit(models, true),
    requireServed: async (models) => admit(models, models.includes(localModel) && (await isLocalServed(redis, prefix))),
  };
}
