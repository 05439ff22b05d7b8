import type { Answer, Verdict } from './judge.ts';

/** Right ones of all that were asked for it. */
export interface Share {
  readonly right: number;
  readonly of: number;
}

/** Percentiles by nearest rank, in milliseconds; null without a value. */
export interface Spread {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** Everything that an evaluation reports of one engine. Money in US dollars. */
export interface Score {
  readonly cases: number;
  readonly category: Share;
  /** Of those that were answered without a question back. */
  readonly categoryUnasked: Share;
  readonly item: Share;
  readonly clarification: Share;
  /** How many of all cases were answered with a question back. */
  readonly asked: number;
  /** Of the cited rules, those that speak of the expected item. */
  readonly citationPrecision: Share;
  /** Of the required rules, those that were cited. */
  readonly citationRecall: Share;
  readonly forbidden: number;
  readonly degraded: number;
  readonly tokens: { readonly input: number; readonly output: number };
  readonly costUsd: number;
  readonly ragMs: Spread;
  readonly llmMs: Spread;
}

export interface Judged {
  readonly verdict: Verdict;
  readonly answer: Answer;
}

/** Sums up what became of the cases. */
export function score(judged: readonly Judged[]): Score {
  const verdicts = judged.map(({ verdict }) => verdict);
  const answers = judged.map(({ answer }) => answer);
  const withItem = verdicts.filter(({ citedRightly }) => citedRightly !== null);
  const required = sum(verdicts.map(({ requiredRules }) => requiredRules));
  return {
    cases: judged.length,
    category: shareOf(verdicts.map(({ categoryRight }) => categoryRight)),
    categoryUnasked: shareOf(verdicts.map(({ asked, categoryRight }) => (asked ? null : categoryRight))),
    item: shareOf(verdicts.map(({ itemRight }) => itemRight)),
    clarification: shareOf(verdicts.map(({ clarificationRight }) => clarificationRight)),
    asked: verdicts.filter(({ asked }) => asked).length,
    citationPrecision: {
      right: sum(withItem.map(({ citedRightly }) => citedRightly ?? 0)),
      of: sum(withItem.map(({ cited }) => cited)),
    },
    citationRecall: { right: required - sum(verdicts.map(({ missingRules }) => missingRules.length)), of: required },
    forbidden: sum(verdicts.map(({ forbidden }) => forbidden.length)),
    degraded: answers.filter(({ degraded }) => degraded !== null).length,
    tokens: {
      input: sum(answers.map(({ usage }) => usage.input_tokens)),
      output: sum(answers.map(({ usage }) => usage.output_tokens)),
    },
    costUsd: sum(answers.map(({ usage }) => usage.cost_usd)),
    ragMs: spread(answers.map(({ ragMs }) => ragMs)),
    llmMs: spread(answers.map(({ llmMs }) => llmMs)),
  };
}

/** The same for each tag and each language. */
export function scoresByPart(judged: readonly Judged[]): Map<string, Score> {
  const parts = new Set(judged.flatMap(({ verdict }) => [verdict.locale, ...verdict.tags]));
  const isOf = (part: string, { locale, tags }: Verdict) => locale === part || tags.includes(part);
  return new Map([...parts].map((part) => [part, score(judged.filter(({ verdict }) => isOf(part, verdict)))]));
}

/** 0 to 1; null where nothing was asked for. */
export function ratio({ right, of }: Share): number | null {
  return of === 0 ? null : right / of;
}

/** Null is for what was not asked for. */
export function shareOf(results: readonly (boolean | null)[]): Share {
  const asked = results.filter((result) => result !== null);
  return { right: asked.filter(Boolean).length, of: asked.length };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { p50: rank(0.5), p99: rank(0.99), max: sorted.at(-1) ?? null };
}
