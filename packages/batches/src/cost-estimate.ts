import type { Redis } from 'ioredis';
import type { StageName } from '@bunri/queue-contracts';
import { assertPriced, costUsd, defaultPrices } from '@bunri/engines/prices';
import { createKeys, dayInSeoul, nanoUsd } from '@bunri/runtime';
import type { CostEstimate } from './batch-store.ts';

/** Tokens of a call with the shipped prompts and a photo of a megapixel, nothing from the provider's prefix cache. */
const typicalTokens = {
  vision: { input: 8_850, cachedInput: 0, output: 500 },
  llm: { input: 1_140, cachedInput: 0, output: 500 },
};
/** Answered here, without a model API. */
const freeModels: readonly string[] = ['local', 'rules'];
/** Fewer calls than that say nothing of what one costs. */
const fewestCalls = 20;
const dayMs = 24 * 3600 * 1000;

interface Counters {
  readonly redis: Redis;
  readonly prefix: string;
  readonly now: () => number;
}

/**
 * What rows cost about, in US dollars: by what their stages have cost since yesterday, and where that was too little, or they
 * ask for other models than the usual ones, by list prices. Null where a model has no price. It is an estimate: what is
 * answered from the cache costs nothing, and a hard photo costs more.
 *
 * @param asked which models look at the photos of how many rows
 */
export async function estimateBatch(
  { redis, prefix, now }: Counters,
  usual: Readonly<Record<'vision' | 'llm', string>>,
  asked: readonly (readonly [models: readonly string[], rows: number])[],
): Promise<CostEstimate | null> {
  const keys = createKeys(prefix);
  const days = [now(), now() - dayMs].map((at) => keys.statistics(dayInSeoul(at)));
  const counters = await Promise.all(days.map(async (day) => await redis.hgetall(day)));
  const llmUsd = observedUsd('llm', counters) ?? listUsd('llm', usual.llm);
  let totalUsd = 0;
  let dearestRowUsd = 0;
  for (const [models, rows] of asked) {
    const isUsual = models.length === 1 && models[0] === usual.vision;
    const looks = models.map((model) => listUsd('vision', model));
    const listed = looks.includes(null) ? null : looks.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    const visionUsd = (isUsual ? observedUsd('vision', counters) : null) ?? listed;
    if (visionUsd === null || llmUsd === null) return null;
    totalUsd += (visionUsd + llmUsd) * rows;
    dearestRowUsd = Math.max(dearestRowUsd, visionUsd + llmUsd);
  }
  return { totalUsd, dearestRowUsd };
}

function observedUsd(stage: StageName, days: readonly Record<string, string>[]): number | null {
  let calls = 0;
  let nano = 0;
  for (const [name, amount] of days.flatMap((counters) => Object.entries(counters))) {
    if (name.startsWith(`duration:${stage}:`)) calls += Number(amount);
    if (name === `nanousd:${stage}`) nano += Number(amount);
  }
  return calls < fewestCalls ? null : nano / nanoUsd / calls;
}

function listUsd(stage: 'vision' | 'llm', model: string): number | null {
  if (freeModels.includes(model)) return 0;
  try {
    assertPriced(defaultPrices, model);
  } catch {
    // An estimate is a service; a model without a list price has none.
    return null;
  }
  return costUsd(defaultPrices, model, typicalTokens[stage]);
}
