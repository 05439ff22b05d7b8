import { situations, type Condition, type ContextSentence, type Locale } from '@bunri/queue-contracts';
import type { Rule } from './schema.ts';
import { isCaseOf, remembered, speaksOf } from './wording.ts';
import { noLetters } from './words.ts';

/** Everything that decides whether a rule matters. */
interface Circumstances {
  readonly condition: Condition;
  /** Topics that the question touches. */
  readonly topics: ReadonlySet<string>;
  /** Items that the question names. */
  readonly mentioned: ReadonlySet<string>;
  /** True where the item is a guess, so that confusions are told unasked. */
  readonly unsure: boolean;
  /** Words of the question that tell something of its thing. */
  readonly words: ReadonlySet<string>;
  readonly cases: Cases;
}

/** What the question says of the case in which the thing is, beside the tags of its condition. */
export interface Cases {
  readonly words: ReadonlySet<string>;
  /** Those of the words that are names of things. */
  readonly nouns: ReadonlySet<string>;
  /** The group of another thing that this one is confused with, by the rule that says so. */
  readonly confused: ReadonlyMap<string, string>;
}

/** What is kept first when the budget is short: where the thing goes, then what is seen of it (too dirty to recycle). */
const urgencies = ['decisive', 'seen', 'step', 'asked', 'background'] as const;
type Urgency = (typeof urgencies)[number];

const kindOrder: readonly Rule['kind'][] = ['step', 'condition', 'prohibition', 'exception', 'confusion'];
const conditionTags = Object.keys(situations) as (keyof Condition)[];

interface Choice {
  readonly rule: Rule;
  readonly urgency: Urgency;
  /** The question is about what the rule says. */
  readonly asked: boolean;
}

/** The rules that matter, in the order in which they are read: by kind, and within a kind as the data has them. */
export function choose(rules: readonly Rule[], circumstances: Circumstances): Choice[] {
  const mover = movingRule(rules, circumstances)?.rule;
  return rules
    .filter((rule) => mover === undefined || !isOverruled(rule))
    .flatMap((rule) => {
      const isMoved = rule === mover && circumstances.topics.has('where');
      const asked = isAsked(rule, circumstances) || isMoved || isDanger(rule, circumstances);
      const urgency = rule === mover ? 'decisive' : urgencyOf(rule, asked, circumstances);
      return urgency === undefined ? [] : [{ rule, urgency, asked }];
    })
    .toSorted((a, b) => kindOrder.indexOf(a.rule.kind) - kindOrder.indexOf(b.rule.kind));
}

/** Where a thing goes instead, and the rule that says so. */
interface Move {
  readonly rule: Rule;
  readonly to: string;
}

/**
 * The rule by which a thing goes to another group than its own: the first, as the data has them, whose condition is seen;
 * else the first whose case the question tells of in words that no tag has.
 */
export function movingRule(
  rules: readonly Rule[],
  { condition, cases }: Pick<Circumstances, 'condition' | 'cases'>,
): Move | undefined {
  const movers = rules.flatMap((rule) => (rule.to === undefined ? [] : [{ rule, to: rule.to }]));
  const seen = movers.find(({ rule }) => rule.when !== undefined && matchCondition(rule, condition) === 'yes');
  const told = () => movers.find(({ rule }) => isTold(rule, condition, cases));
  const confused = () =>
    rules.flatMap((rule) => {
      const to = cases.confused.get(rule.id);
      return to === undefined ? [] : [{ rule, to }];
    })[0];
  return seen ?? confused() ?? told();
}

/** Dirt and damage have more words than a list of readings, and of other cases there are no tags. */
function isTold(rule: Rule, condition: Condition, { words, nouns }: Cases): boolean {
  if (rule.when === undefined) return isCaseOf(rule, words);
  const isOpen = Object.keys(rule.when).every((tag) => tag === 'contamination' || tag === 'damage');
  return isOpen && matchCondition(rule, condition) === 'unknown' && isCaseOf(rule, nouns);
}

/** A danger that is seen is told first, whatever was asked. */
function isDanger(rule: Rule, { condition }: Circumstances): boolean {
  return rule.important && rule.when?.hazard !== undefined && matchCondition(rule, condition) === 'yes';
}

/** The step that names the usual bin is wrong where the condition sends the thing to another. */
function isOverruled({ kind, when, about }: Rule): boolean {
  return kind === 'step' && when === undefined && about.includes('where');
}

function isAsked(rule: Rule, { topics, mentioned, words }: Circumstances): boolean {
  const { about, item } = rule;
  if (about.some((topic) => topics.has(topic)) || (item !== undefined && mentioned.has(item))) return true;
  return speaksOf(rule, words);
}

/**
 * Steps stand unless the condition makes them needless (a label that is already off). A rule about a condition stands
 * where the condition is seen, or, if important, where it is not known. What the question asks about always stands.
 */
function urgencyOf(rule: Rule, asked: boolean, { condition, unsure }: Circumstances): Urgency | undefined {
  const state = matchCondition(rule, condition);
  if (rule.kind === 'step' && state !== 'no') return 'step';
  if (rule.when !== undefined && state === 'yes') return 'seen';
  if (state === 'no' && rule.kind === 'step' && !isDoneAlready(rule)) return undefined;
  if (asked) return 'asked';
  if (state === 'no') return undefined;
  if (rule.important) return 'background';
  return rule.kind === 'confusion' && unsure ? 'background' : undefined;
}

/** Of a step that is only needless, such as taking off a label that is off, somebody may still ask. */
function isDoneAlready({ when = {} }: Rule): boolean {
  return Object.keys(when).every((tag) => ['label', 'cap', 'rinsed', 'attachments'].includes(tag));
}

function matchCondition({ when = {} }: Rule, condition: Condition): 'yes' | 'no' | 'unknown' {
  const states = conditionTags.flatMap((tag) => {
    const values: readonly string[] | undefined = when[tag];
    if (values === undefined) return [];
    const value = condition[tag] ?? 'unknown';
    if (value === 'unknown') return ['unknown'];
    return [values.includes(value) ? 'yes' : 'no'];
  });
  if (states.includes('no')) return 'no';
  return states.includes('unknown') ? 'unknown' : 'yes';
}

/** Sentences and what they cost together as they are quoted to a model. */
interface Fitted {
  readonly sentences: ContextSentence[];
  readonly tokens: number;
}

/**
 * The chosen sentences without repeated texts, as many of the most urgent as the budget holds, in reading order.
 *
 * @throws Error for a rule whose tokens nobody has counted.
 */
export function fit(choices: readonly Choice[], locale: Locale, tokenBudget: number): Fitted {
  const distinct = new Map<string, Choice>();
  for (const choice of choices) {
    const key = lettersOf(choice.rule)[locale];
    const other = distinct.get(key);
    if (other === undefined || rank(choice) < rank(other)) distinct.set(key, choice);
  }
  const candidates = [...distinct.values()];
  let tokens = 0;
  const kept = new Set<Choice>();
  for (const urgency of urgencies) {
    for (const choice of candidates.filter((each) => each.urgency === urgency)) {
      const cost = tokensOf(choice.rule, locale);
      if (tokens + cost > tokenBudget) continue;
      tokens += cost;
      kept.add(choice);
    }
  }
  const sentences = candidates.filter((choice) => kept.has(choice)).map((choice) => toSentence(choice, locale));
  return { sentences, tokens };
}

/** By these, two rules say the same. */
const lettersOf = remembered(({ text: { ko, en } }: Rule) => ({ ko: letters(ko), en: letters(en) }));

function letters(text: string): string {
  return text.toLowerCase().replaceAll(noLetters, '');
}

function rank({ urgency }: Choice): number {
  return urgencies.indexOf(urgency);
}

function toSentence({ rule: { id, version, kind, text }, asked }: Choice, locale: Locale): ContextSentence {
  const sentence = { rule_id: id, version, kind, text: text[locale] };
  return asked ? { ...sentence, asked } : sentence;
}

function tokensOf({ id, tokens }: Rule, locale: Locale): number {
  if (tokens === undefined) throw new Error(`the tokens of ${id} are not counted: npm run knowledge:check -- --write`);
  return tokens[locale];
}
