import { buildContext } from '@bunri/knowledge';
import type { AnswerEngine } from './answer-engine.ts';
import type { Case } from './cases.ts';
import { inParallel, type ParallelOptions } from './in-parallel.ts';
import { judge } from './judge.ts';
import type { Run } from './report.ts';
import { score, type Judged } from './score.ts';

export interface RunOptions extends ParallelOptions {
  readonly engine: AnswerEngine;
  /** Tokens of rules in a context, as the rag stage has them. */
  readonly tokenBudget: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/**
 * Every case through the look-up of the rag stage and one engine, in the order of the cases.
 *
 * @throws EngineFailedError naming the case.
 */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<Run> {
  const { engine } = options;
  const work = async (each: Case, signal: AbortSignal) => await runCase(each, { ...options, signal });
  const judged = await inParallel(cases, work, ({ id }) => `case ${id}`, options);
  return { name: engine.name, judged, score: score(judged) };
}

async function runCase(each: Case, { engine, tokenBudget, signal, now }: RunOptions): Promise<Judged> {
  const { classification, question, locale } = each;
  const started = now();
  const context = buildContext({ classification, question, locale, tokenBudget });
  const lookedUp = now();
  const written = await engine.write({ classification, question, locale, context }, signal);
  const answer = { context, ...written, ragMs: lookedUp - started, llmMs: now() - lookedUp };
  return { verdict: judge(each, answer), answer };
}
