import type { Condition, ContextSentence, Locale } from '@bunri/queue-contracts';
import type { Rule } from './schema.ts';
import { estimateTokens } from './tokens.ts';

/** Everything that decides whether a rule matters. */
interface Circumstances {
  readonly condition: Condition;
  /** Topics that the question touches. */
  readonly topics: ReadonlySet<string>;
  /** Items that the question names. */
  readonly mentioned: ReadonlySet<string>;
  /** True where the item is a guess, so that confusions are told unasked. */
  readonly unsure: boolean;
}

/** What is kept first when the budget is short; a condition that is seen can overrule the steps (too dirty to recycle). */
const urgencies = ['seen', 'step', 'asked', 'background'] as const;
type Urgency = (typeof urgencies)[number];

const kindOrder: readonly Rule['kind'][] = ['step', 'condition', 'prohibition', 'exception', 'confusion'];

const conditionTags = ['cap', 'rinsed', 'contamination', 'label'] as const satisfies readonly (keyof Condition)[];

interface Choice {
  readonly rule: Rule;
  readonly urgency: Urgency;
}

/** The rules that matter, in the order in which they are read: by kind, and within a kind as the data has them. */
export function choose(rules: readonly Rule[], circumstances: Circumstances): Choice[] {
  return rules
    .flatMap((rule) => {
      const urgency = urgencyOf(rule, circumstances);
      return urgency === undefined ? [] : [{ rule, urgency }];
    })
    .toSorted((a, b) => kindOrder.indexOf(a.rule.kind) - kindOrder.indexOf(b.rule.kind));
}

/**
 * Steps stand unless the condition makes them needless (a label that is already off). A rule about a condition stands
 * where the condition is seen, or, if important, where it is not known. What the question asks about always stands.
 */
function urgencyOf(rule: Rule, { condition, topics, mentioned, unsure }: Circumstances): Urgency | undefined {
  const asked = rule.about.some((topic) => topics.has(topic)) || (rule.item !== undefined && mentioned.has(rule.item));
  const state = matchCondition(rule, condition);
  if (rule.kind === 'step' && state !== 'no') return 'step';
  if (rule.when !== undefined && state === 'yes') return 'seen';
  if (asked) return 'asked';
  if (state === 'no') return undefined;
  if (rule.important) return 'background';
  return rule.kind === 'confusion' && unsure ? 'background' : undefined;
}

function matchCondition({ when = {} }: Rule, condition: Condition): 'yes' | 'no' | 'unknown' {
  const states = conditionTags.flatMap((tag) => {
    const values: readonly string[] | undefined = when[tag];
    if (values === undefined) return [];
    if (condition[tag] === 'unknown') return ['unknown'];
    return [values.includes(condition[tag]) ? 'yes' : 'no'];
  });
  if (states.includes('no')) return 'no';
  return states.includes('unknown') ? 'unknown' : 'yes';
}

/** The chosen sentences without repeated texts, as many of the most urgent as the budget holds, in reading order. */
export function fit(choices: readonly Choice[], locale: Locale, tokenBudget: number): ContextSentence[] {
  const distinct = new Map<string, { sentence: ContextSentence; urgency: Urgency }>();
  for (const { rule, urgency } of choices) {
    const key = rule.text[locale].toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
    if (distinct.has(key)) continue;
    const { id, version, kind, text } = rule;
    distinct.set(key, { sentence: { rule_id: id, version, kind, text: text[locale] }, urgency });
  }
  const candidates = [...distinct.values()];
  let left = tokenBudget;
  const kept = new Set<ContextSentence>();
  for (const urgency of urgencies) {
    for (const { sentence } of candidates.filter((each) => each.urgency === urgency)) {
      const cost = sentenceTokens(sentence);
      if (cost > left) continue;
      left -= cost;
      kept.add(sentence);
    }
  }
  return candidates.map(({ sentence }) => sentence).filter((sentence) => kept.has(sentence));
}

/** Estimated tokens of one sentence as it is quoted to a model: with its rule id, kind and a line break. */
export function sentenceTokens({ rule_id, kind, text }: ContextSentence): number {
  return estimateTokens(rule_id) + estimateTokens(kind) + estimateTokens(text) + 2;
}
