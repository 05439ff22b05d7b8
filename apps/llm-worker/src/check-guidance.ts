import { asData } from '@bunri/engines';
import type { Classification, Context, Guidance, Locale, Outcome } from '@bunri/queue-contracts';
import { wrongPlaces } from './check-places.ts';
import { isPolite, isWrittenIn } from './language.ts';
import { sentencesOf } from './sentences.ts';

export const problemCodes = [
  'no_answer',
  'no_steps',
  'long_answer',
  'many_steps',
  'many_questions',
  'language',
  'number',
  'place',
  'link',
  'leak',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

/** One thing that is wrong with a model's answer. */
export interface Problem {
  readonly code: ProblemCode;
  /** For the model, which writes its answer once more. */
  readonly said: string;
}

/** What an answer is held against. */
export interface CheckedTask {
  readonly question: string;
  readonly locale: Locale;
  readonly classification: Pick<Classification, 'waste_category' | 'subcategory'>;
  readonly context: Context;
}

export const mostSentences = 3;
export const mostSteps = 8;
export const mostQuestions = 2;

/**
 * What the rules say of where the thing goes; contexts of before had no outcome, and an item's own place stands in.
 * Undefined where it is not known what the thing is.
 */
export function outcomeOf({
  classification,
  context,
}: Pick<CheckedTask, 'classification' | 'context'>): Outcome | undefined {
  if (context.outcome !== undefined || context.item_id === null) return context.outcome;
  const { waste_category, subcategory } = classification;
  return { waste_category, subcategory, rule_id: null };
}

/**
 * What is wrong with guidance whose steps were grounded: everything in it must come from the sentences of the context, the
 * question or the outcome, as far as that can be seen mechanically. Pure; no problem, no entry.
 *
 * @param prompt the instructions that the model had, none of which may stand in a text.
 */
export function checkGuidance(guidance: Guidance, task: CheckedTask, prompt: string): Problem[] {
  const { answer, steps, missing, warnings } = guidance;
  const told = [answer, ...steps.map(({ text }) => text), ...warnings];
  return [
    ...sizeProblems(guidance),
    ...languageProblems(guidance, task.locale),
    ...numberProblems(told, task),
    ...placeProblems(told, task),
    ...leakProblems([...told, ...missing], task, prompt),
  ];
}

function sizeProblems({ answer, steps, missing }: Guidance): Problem[] {
  const sentences = sentencesOf(answer).length;
  return [
    ...(answer === '' ? [{ code: 'no_answer', said: 'The answer was empty.' } as const] : []),
    ...(steps.length === 0
      ? [{ code: 'no_steps', said: 'No step cited a rule of the list by its exact id.' } as const]
      : []),
    ...overrun('long_answer', sentences, mostSentences, 'sentences in the answer'),
    ...overrun('many_steps', steps.length, mostSteps, 'steps'),
    ...overrun('many_questions', missing.length, mostQuestions, 'questions in missing'),
  ];
}

function overrun(code: ProblemCode, count: number, most: number, what: string): Problem[] {
  return count > most ? [{ code, said: `There were ${count} ${what}; at most ${most} are allowed.` }] : [];
}

const languageNames = { ko: 'polite Korean (해요체)', en: 'English' } as const satisfies Record<Locale, string>;

function languageProblems({ answer, steps, missing, warnings }: Guidance, locale: Locale): Problem[] {
  const rest = [...steps.map(({ text }) => text), ...missing, ...warnings].join('\n');
  const isWrong =
    !isWrittenIn(locale, answer) ||
    !isWrittenIn(locale, rest) ||
    (locale === 'ko' && answer !== '' && !isPolite(answer));
  return isWrong ? [{ code: 'language', said: `Not every text was in ${languageNames[locale]}.` }] : [];
}

/** What may be repeated: the rules, the names that the catalogue gives, and where the thing goes. */
function sourceTexts(task: CheckedTask): string[] {
  const { item_id, item_name, candidates, sentences, clarification } = task.context;
  return [
    ...sentences.map(({ text }) => text),
    ...(item_id === null ? [] : [item_name]),
    ...candidates.map((candidate) => candidate.item_name),
    ...(clarification?.options ?? []).map(({ label }) => label),
    outcomeOf(task)?.subcategory ?? '',
  ];
}

function numberProblems(told: readonly string[], task: CheckedTask): Problem[] {
  const known = new Set([...sourceTexts(task), task.question].flatMap(numbersOf));
  const unknown = new Set(
    told
      .map(withoutListNumbers)
      .flatMap(numbersOf)
      .filter((number) => !known.has(number)),
  );
  return [...unknown].map((number) => ({
    code: 'number',
    said: `The number ${asData(number, 20)} stands neither in the rules nor in the question.`,
  }));
}

const listNumber = /(?<=^|\s)\(?([1-9])[.)]\s/gu;

/** The numbers of a list that runs on in a text: 1) … 2) …, or 1. … 2. … */
function withoutListNumbers(text: string): string {
  let next = 1;
  return text.replaceAll(listNumber, (found, digit) => {
    if (Number(digit) !== next) return found;
    next += 1;
    return ' ';
  });
}

const written = /\p{Nd}+(?:[.,]\p{Nd}+)*/gu;
const thousands = /,(?=\d{3})/gu;

function numbersOf(text: string): string[] {
  const digits = text.normalize('NFKC').match(written) ?? [];
  return digits.map((number) => number.replaceAll(thousands, ''));
}

function placeProblems(told: readonly string[], task: CheckedTask): Problem[] {
  const { sentences, item_name: itemName } = task.context;
  const outcome = outcomeOf(task);
  const usual = outcome && task.classification;
  const said = wrongPlaces(told, { sentences, outcome, usual, itemName, question: task.question });
  return said.map((each) => ({ code: 'place', said: each }));
}

/** Names of fields and parts of the prompt, as no rule and no person writes them. */
const fieldNames =
  /\b(?:rule_ids?|item_(?:id|name)|waste_category|subcategory|prompt_version|catalogue_version)\b|\[rule/iu;
const fences = /<\/?(?:item|question)>/iu;
/** Addresses, with or without a scheme; a particle may stand right behind. */
const links =
  /https?:\/\/[^\s가-힣)]+|\b(?:[a-z0-9-]+\.)+(?:com|net|org|kr|io|co|me|ly|gg|gl|info|biz|shop|store|site|online|xyz|app|dev|link|top|jp|cn)(?![a-z0-9-])[^\s가-힣)]*/giu;
const behindLink = /[.,;:!?'"”’]+$/u;
/** So many words of the instructions in a row are no chance. */
const runLength = 6;

function leakProblems(texts: readonly string[], task: CheckedTask, prompt: string): Problem[] {
  const whole = texts.join('\n');
  const ids = task.context.sentences.map(({ rule_id }) => rule_id);
  const known = task.context.sentences.map(({ text }) => text).join('\n');
  const isLeak = fieldNames.test(whole) || fences.test(whole) || ids.some((id) => whole.includes(id));
  const fromPrompt = repeatsOf(whole, prompt);
  const own = fromPrompt.length > 0 ? runsOf(known) : new Set<string>();
  const isPrompt = fromPrompt.some((run) => !own.has(run));
  const foreign = (whole.match(links) ?? []).some((link) => !known.includes(link.replace(behindLink, '')));
  return [
    ...(isLeak || isPrompt
      ? [
          {
            code: 'leak',
            said: 'A rule id, a name of a field or a part of these instructions stood in a text.',
          } as const,
        ]
      : []),
    ...(foreign ? [{ code: 'link', said: 'A link stood in a text that stands in no rule.' } as const] : []),
  ];
}

/** Of one prompt or two: those of a process never change. */
const runsOfPrompts = new Map<string, ReadonlySet<string>>();

/** The runs of a text that stand in a prompt. */
function repeatsOf(text: string, prompt: string): string[] {
  const runs = runsOfPrompts.get(prompt) ?? runsOf(prompt);
  if (!runsOfPrompts.has(prompt)) runsOfPrompts.set(prompt, runs);
  return [...runsOf(text)].filter((run) => runs.has(run));
}

const word = /[\p{L}\p{N}]+/gu;

function runsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(word) ?? [];
  const runs = new Set<string>();
  for (let i = 0; i + runLength <= words.length; i += 1) runs.add(words.slice(i, i + runLength).join(' '));
  return runs;
}
