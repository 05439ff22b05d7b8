import {
  nothingUsed,
  type Classification,
  type Condition,
  type Context,
  type ContextSentence,
  type Guidance,
  type Locale,
  type Outcome,
  type StageOutput,
} from '@bunri/queue-contracts';
import { mostQuestions, mostSentences, mostSteps, outcomeOf } from './check-guidance.ts';
import { outcomePlaces, type Place } from './place-words.ts';
import { leadsElsewhere, ownSentences } from './own-sentences.ts';
import { mentionedPlaces } from './places.ts';
import { words } from './rules-words.ts';
import { sentencesOf } from './sentences.ts';

export interface RulesTask {
  readonly classification: Classification;
  readonly context: Context;
  readonly locale: Locale;
  readonly question: string;
}

/** Below it, the model would have been told not to be certain either. */
const sureConfidence = 0.6;

/** The output of the stage where no language model could be asked: made from the rules alone, and it says so. */
export function rulesOnlyOutput(task: RulesTask): StageOutput<'llm'> {
  return {
    guidance: rulesOnlyGuidance(task),
    engine: { provider: 'rules', model: task.context.catalogue_version },
    usage: nothingUsed,
    droppedSteps: 0,
  };
}

/**
 * Guidance of the rules' own sentences: where the thing goes, what the rules say to the question, the steps in the order of
 * doing, what must not be done apart, and what is still to be known asked back. Where the condition of the thing sends it
 * elsewhere, that comes first and nothing leads to its usual place. Pure.
 */
export function rulesOnlyGuidance(task: RulesTask): Guidance {
  const { context } = task;
  const outcome = outcomeOf(task);
  const dangers = dangersOf(task);
  const fitting = ownSentences(context.sentences, {
    outcome,
    question: task.question,
    itemName: context.item_name,
  }).filter((sentence) => !contradicts(sentence, outcome) && !(dangers.length > 0 && isPlainBin(sentence, outcome)));
  const of = (...kinds: ContextSentence['kind'][]) => fitting.filter(({ kind }) => kinds.includes(kind));
  const ordered = inOrder(of('step', 'condition', 'exception'), outcome);
  const steps = [...dangers, ...ordered.filter((sentence) => !dangers.includes(sentence))].slice(0, mostSteps);
  const warnings = of('prohibition', 'confusion');
  return {
    answer: answerText(task, outcome, fitting),
    steps: steps.map(({ rule_id, text }) => ({ text, rule_ids: [rule_id] })),
    missing: questionsBack(task, of('condition')),
    warnings: warnings.map(({ text }) => text),
    ...(context.outcome && { outcome }),
    sources: [...steps, ...warnings].map(({ rule_id, version }) => ({ rule_id, version })),
  };
}

/** What is said of a danger that is seen, such as a swollen battery: it comes before everything else. */
function dangersOf({ context, locale }: RulesTask): ContextSentence[] {
  const { named } = words[locale].states.hazard;
  return context.sentences.filter(
    ({ kind, asked, text }) => kind === 'condition' && asked === true && named.test(text),
  );
}

/** A step that puts the thing into its usual place, as if nothing were wrong with it. */
function isPlainBin({ kind, text }: ContextSentence, outcome: Outcome | undefined): boolean {
  const right = outcomePlaces(outcome);
  return kind === 'step' && mentionedPlaces(text).some(({ place, isNegated }) => !isNegated && right.includes(place));
}

/** Whether the condition of the thing sends it elsewhere than such things go. */
function isMoved(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.rule_id !== null;
}

/** Whether a sentence leads to the usual place of a thing whose condition sends it elsewhere. Other things are not meant. */
function contradicts({ rule_id, kind, text }: ContextSentence, outcome: Outcome | undefined): boolean {
  if (!isMoved(outcome) || rule_id === outcome?.rule_id || kind === 'prohibition' || kind === 'confusion') return false;
  const right = new Set<Place>(outcomePlaces(outcome));
  const named = mentionedPlaces(text).filter(({ isNegated }) => !isNegated);
  return named.length > 0 && !named.some(({ place }) => right.has(place));
}

/** What decides the place first; what prepares the thing before it is put out; then what may lead elsewhere. */
function inOrder(sentences: readonly ContextSentence[], outcome: Outcome | undefined): ContextSentence[] {
  const namesPlace = ({ text }: ContextSentence) => mentionedPlaces(text).some(({ isNegated }) => !isNegated);
  const decisive = sentences.filter(({ rule_id }) => rule_id === outcome?.rule_id);
  const rest = sentences.filter((sentence) => !decisive.includes(sentence));
  const steps = rest.filter(({ kind }) => kind === 'step');
  const conditions = rest.filter(({ kind }) => kind === 'condition');
  const putsOut = steps.findLastIndex(namesPlace);
  const preparing = conditions.filter((condition) => !namesPlace(condition));
  const at = putsOut < 0 ? steps.length : putsOut;
  return [
    ...decisive,
    ...steps.slice(0, at),
    ...preparing,
    ...steps.slice(at),
    ...conditions.filter((condition) => !preparing.includes(condition)),
    ...rest.filter(({ kind }) => kind === 'exception'),
  ];
}

function answerText(task: RulesTask, outcome: Outcome | undefined, fitting: readonly ContextSentence[]): string {
  const { locale, question } = task;
  const say = words[locale];
  const isElsewhere = say.elsewhere.test(question) && !say.disposal.test(question);
  const lead = isElsewhere ? [say.offTopic] : [];
  if (task.context.sentences.length === 0) return [...lead, say.noRules, say.withoutModel].join(' ');
  if (outcome === undefined) return [...lead, say.unknown, say.withoutModel].join(' ');
  const asked = fitting.filter(
    (sentence) => sentence.asked && !isBareBin(sentence, outcome) && !leadsElsewhere(sentence, outcome),
  );
  const core = coreOf(task, asked, outcome);
  const decisive = fitting.filter(({ rule_id }) => rule_id === outcome?.rule_id);
  const kinds = ['prohibition', 'step', 'condition', 'exception', 'confusion'] as const;
  // What the condition decides is told before what else was asked, and what other things are for comes last.
  const behind = [...decisive, ...kinds.flatMap((kind) => asked.filter((sentence) => sentence.kind === kind))];
  const dangers = dangersOf(task);
  const texts = [
    ...dangers.map(({ text }) => text),
    ...sentencesOf(core?.text ?? '').slice(0, mostSentences - 1 - lead.length),
    ...(isRefused(core, outcome) || dangers.length > 0
      ? []
      : [`${core === undefined ? yesOrNo(task, outcome) : ''}${binText(task, outcome)}`]),
    ...new Set(behind.filter((sentence) => sentence !== core && !dangers.includes(sentence)).map(({ text }) => text)),
  ];
  const sentences = [...lead, ...texts.flatMap(sentencesOf)].slice(0, mostSentences);
  return [...sentences, say.withoutModel].join(' ');
}

/** Whether the answer says already that the thing asked about must not go where such things usually go. */
function isRefused(core: ContextSentence | undefined, outcome: Outcome | undefined): boolean {
  const [, ...right] = outcomePlaces(outcome);
  return mentionedPlaces(core?.text ?? '').some(({ place, isNegated }) => isNegated && right.includes(place));
}

/**
 * The sentence that a question of yes or no is answered by, which then comes first: of one that names a place, what says
 * that the thing must not go there; of any other, what was asked for. Undefined where the place itself is the answer.
 */
function coreOf({ question, locale }: RulesTask, asked: readonly ContextSentence[], outcome: Outcome | undefined) {
  const say = words[locale];
  if (!say.permission.test(question)) return undefined;
  const isNo = ({ kind }: ContextSentence) => kind === 'prohibition' || kind === 'confusion';
  const named = new Set(mentionedPlaces(question).map(({ place }) => place));
  if (named.size > 0) {
    const refuses = ({ text }: ContextSentence) =>
      mentionedPlaces(text).some(({ place, isNegated }) => isNegated && named.has(place));
    return asked.find((sentence) => isNo(sentence) && refuses(sentence));
  }
  if (isMoved(outcome)) return undefined;
  const no = say.puts.test(question) ? asked.find(isNo) : undefined;
  return no ?? asked.find(({ kind }) => kind !== 'confusion');
}

/** Whether the thing may go where the question would put it; '' where the question is another, or that is not certain. */
function yesOrNo({ question, locale, context, classification }: RulesTask, outcome: Outcome | undefined): string {
  const say = words[locale];
  const named = mentionedPlaces(question);
  const isPlain = named.length > 0 && named.every(({ isNegated }) => !isNegated);
  if (!isPlain || !say.permission.test(question) || !isCertain(context, classification)) return '';
  const right = outcomePlaces(outcome);
  const fits = named.filter(({ place }) => right.includes(place)).length;
  if (fits === 0) return say.no;
  return fits === named.length ? say.yes : '';
}

/** A step of a few words that says what the answer says anyway. */
function isBareBin({ kind, text }: ContextSentence, outcome: Outcome | undefined): boolean {
  const named = mentionedPlaces(text);
  const right = outcomePlaces(outcome);
  return kind === 'step' && text.length < 45 && named.length > 0 && named.every(({ place }) => right.includes(place));
}

function binText({ context, classification, locale }: RulesTask, outcome: Outcome): string {
  const say = words[locale];
  const [, place] = outcomePlaces(outcome);
  const discard = say.discard[outcome.waste_category](say.stream(outcome.subcategory, place));
  const item = context.item_name.trim() || say.thisThing;
  if (context.item_id === null && context.item_name.trim() === '') return say.ofMaterial(discard);
  if (!isCertain(context, classification)) return say.uncertain(item, discard);
  return outcome.rule_id === null ? say.certain(item, discard) : say.inCondition(item, discard);
}

function isCertain({ match, clarification, confirmed }: Context, { confidence }: Classification): boolean {
  if (confirmed) return true;
  return match === 'id' && confidence >= sureConfidence && clarification === undefined;
}

/** What would change a step, each as a question: which thing it is, and the states that a rule depends on. */
function questionsBack(
  { classification, context, locale }: RulesTask,
  conditions: readonly ContextSentence[],
): string[] {
  const say = words[locale];
  if (context.clarification) return [context.clarification.question, ...statesAsked()].slice(0, mostQuestions);
  if (context.sentences.length === 0) return [say.whatIsIt];
  const candidates = context.candidates.map(({ item_name }) => item_name).slice(0, 3);
  const which = candidates.length > 1 ? say.whichOne(candidates) : say.whatIsIt;
  return [...(isCertain(context, classification) ? [] : [which]), ...statesAsked()].slice(0, mostQuestions);

  function statesAsked(): string[] {
    const tags = Object.keys(say.states) as (keyof Condition)[];
    const open = tags.filter((tag) => (classification.condition[tag] ?? 'unknown') === 'unknown');
    const named = conditions.flatMap(({ text }) => {
      const clause = say.clauses.map((pattern) => pattern.exec(text)?.[0]).find(Boolean) ?? text;
      return open.filter((tag) => say.states[tag].named.test(clause));
    });
    return [...new Set(named)].map((tag) => say.states[tag].question);
  }
}
