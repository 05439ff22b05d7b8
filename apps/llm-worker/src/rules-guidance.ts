import {
  nothingUsed,
  type Classification,
  type Condition,
  type Context,
  type ContextSentence,
  type Guidance,
  type Locale,
  type StageOutput,
} from '@bunri/queue-contracts';
import { words } from './rules-words.ts';

interface RulesTask {
  readonly classification: Classification;
  readonly context: Context;
  readonly locale: Locale;
}

/** As many as a model is asked for. */
const mostSteps = 8;
const mostQuestions = 2;
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
 * Guidance of the rules' own sentences. The look-up has left out what the condition of the thing makes needless; here they
 * are put in the order of doing, what must not be done apart, and what the photo leaves open is asked back.
 */
export function rulesOnlyGuidance({ classification, context, locale }: RulesTask): Guidance {
  const { sentences } = context;
  const of = (...kinds: ContextSentence['kind'][]) => sentences.filter(({ kind }) => kinds.includes(kind));
  const conditions = of('condition');
  // What is too dirty often goes elsewhere as a whole, so that nobody should read the usual steps first.
  const isDirty = classification.condition.contamination === 'heavy' && conditions.length > 0;
  const inOrder = isDirty
    ? [...conditions, ...of('step'), ...of('exception')]
    : [...of('step'), ...conditions, ...of('exception')];
  const steps = inOrder.slice(0, mostSteps);
  const warnings = of('prohibition', 'confusion');
  const isCertain = context.match === 'id' && classification.confidence >= sureConfidence;
  return {
    answer: answerText({ classification, context, locale }, { isCertain, isDirty, hasSteps: steps.length > 0 }),
    steps: steps.map(({ rule_id, text }) => ({ text, rule_ids: [rule_id] })),
    missing: questionsBack({ classification, context, locale }, conditions, isCertain),
    warnings: warnings.map(({ text }) => text),
    sources: [...steps, ...warnings].map(({ rule_id, version }) => ({ rule_id, version })),
  };
}

function answerText(
  { classification, context, locale }: RulesTask,
  { isCertain, isDirty, hasSteps }: { isCertain: boolean; isDirty: boolean; hasSteps: boolean },
): string {
  const say = words[locale];
  const bin = say.bins[classification.waste_category];
  // A thing without a stream of its own has the name of its category in that place.
  const stream =
    classification.subcategory === words.ko.bins[classification.waste_category] ? '' : classification.subcategory;
  return [
    isCertain ? say.certain(context.item_name) : say.uncertain(context.item_name),
    ...(context.sentences.length > 0 ? [say.bin(stream === '' ? bin : `${bin} (${stream})`, hasSteps)] : [say.noRules]),
    ...(isDirty ? [say.dirty] : []),
    say.withoutModel,
  ].join(' ');
}

/** What would change a step, each as a question: which thing it is, and the states that a rule depends on. */
function questionsBack(
  { classification, context, locale }: RulesTask,
  conditions: readonly ContextSentence[],
  isCertain: boolean,
): string[] {
  const say = words[locale];
  if (context.sentences.length === 0) return [say.whatIsIt];
  const candidates = context.candidates.map(({ item_name }) => item_name).slice(0, 3);
  const which = isCertain ? [] : [candidates.length > 1 ? say.whichOne(candidates) : say.whatIsIt];
  const states = (Object.keys(say.states) as (keyof Condition)[]).filter(
    (tag) =>
      classification.condition[tag] === 'unknown' && conditions.some(({ text }) => say.states[tag].named.test(text)),
  );
  return [...which, ...states.map((tag) => say.states[tag].question)].slice(0, mostQuestions);
}
