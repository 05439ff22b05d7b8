import type { ContextSentence, Outcome } from '@bunri/queue-contracts';
import { outcomePlaces, type Place } from './place-words.ts';
import { mentionedPlaces } from './places.ts';
import { sentencesOf } from './sentences.ts';

/** Said of some municipalities only: …하는 지역도 있습니다, "some regions want". */
const ofSomeRegions =
  /(?:지역|곳|지자체)(?:도|이|가) (?:있|많)|곳에서는|지역에서는|\b(?:some|many|certain) (?:regions?|places|municipalities|areas|bins)\b/iu;
/** What a sentence is about stands before its first particle, in English before its first verb. */
const koreanSubject = /^(.*?[가-힣])(?:은|는|도|만)(?= )/u;
const englishSubject = /^(.*?)\b(?:goes|go|is|are|belongs?|counts?|may|can|must|holds?|which)\b/iu;
/** A prohibition that says so refuses all places that it lists. */
const refusing = /아니|아닙|지 ?마|않|없|\b(?:not|never|no|neither|nor)\b/iu;
/** Says what is possible, and not what to do. */
const possible = /수 (?:있습|있어)|도 됩니다|도 돼|\b(?:may|can)\b/iu;
const stemLength = { ko: 2, en: 4 } as const;

interface Asked {
  readonly outcome: Outcome | undefined;
  readonly question: string;
  readonly itemName: string;
}

/**
 * The sentences without what tells where other things go: read beside the answer, that would be taken for advice on this
 * one. It stays where the question names the other thing too. What leads from a bin to a recycling stream in another
 * condition stays where it was asked for, or is true in some regions.
 */
export function ownSentences(sentences: readonly ContextSentence[], asked: Asked): ContextSentence[] {
  return sentences.flatMap((sentence) => {
    const texts = sentencesOf(sentence.text);
    const kept = texts.filter((text) => isOwn({ ...sentence, text }, asked));
    if (kept.length === texts.length) return [sentence];
    return kept.length === 0 ? [] : [{ ...sentence, text: kept.join(' ') }];
  });
}

function isOwn(sentence: ContextSentence, asked: Asked): boolean {
  const { outcome, question } = asked;
  const { kind, text } = sentence;
  const right = outcomePlaces(outcome);
  const offered = offeredBy(text);
  if (kind === 'step' || offered.length === 0 || offered.some((place) => right.includes(place))) return true;
  if (kind === 'confusion') return isNamed(subjectOf(text), asked);
  if (kind === 'prohibition' && refusing.test(text)) return true;
  if (!leadsToStream(sentence, outcome) || ofSomeRegions.test(text)) return true;
  if (sentence.asked === true && possible.test(text)) return true;
  return isNamed(subjectOf(text), asked) || sharedStems(text, question) > 0;
}

/** Whether a sentence leads only elsewhere than into the bin where the thing goes: the answer itself never does. */
export function leadsElsewhere({ text }: ContextSentence, outcome: Outcome | undefined): boolean {
  if (outcome === undefined || outcome.waste_category === 'recyclable') return false;
  const offered = offeredBy(text);
  return offered.length > 0 && !offered.includes(outcome.waste_category);
}

/** Whether a sentence sends to recycling what goes into a bin. */
function leadsToStream({ kind, text }: ContextSentence, outcome: Outcome | undefined): boolean {
  if (kind === 'step' || outcome === undefined || outcome.waste_category === 'recyclable') return false;
  return offeredBy(text).some((place) => !bins.has(place));
}

const bins = new Set<Place>(['general', 'noncombustible', 'food', 'bulky', 'hazardous', 'construction']);

function offeredBy(text: string): Place[] {
  return mentionedPlaces(text).flatMap(({ place, isNegated }) => (isNegated ? [] : [place]));
}

/** Begins what describes an English noun behind it. */
const describing = /\s(?:on|of|with|without|in|for|from|that|which|made|printed|such|left|bonded|coated)\s.*$/iu;
/** Names no thing, but what many things are made of and what questions call the streams by. */
const material =
  /^(?:종이|비닐|플라스틱|유리|캔|고철|스티로폼|재활용|paper|plastics?|glass|metal|film|vinyl|styrofoam|cans?)$/iu;

const materialStem =
  /^(?:종이|비닐|플라스틱|유리|고철|스티로폼|재활용|음식물|버리|넣|내놓|paper|plastic|glass|metal|film|recycl)/u;

/** The word for the thing that a sentence is about, without what describes it; '' where that is only a material. */
function subjectOf(text: string): string {
  const subject = koreanSubject.exec(text)?.[1] ?? englishSubject.exec(text)?.[1]?.replace(describing, '') ?? '';
  const word = subject.trim().split(/\s+/u).at(-1) ?? '';
  return material.test(word) ? '' : word;
}

/** Whether the question names it, and it is not the thing that the question is about. */
function isNamed(subject: string, { question, itemName }: Asked): boolean {
  const least = /[가-힣]/u.test(subject) ? stemLength.ko : stemLength.en;
  const stem = subject.toLowerCase().replace(/e?s$/u, '');
  const isIn = (text: string) => text.normalize('NFC').toLowerCase().includes(stem);
  return stem.length >= least && isIn(question) && !isIn(itemName);
}

/** How many words of the text begin like one of the question. */
function sharedStems(text: string, question: string): number {
  const stemsOf = (some: string) =>
    (
      some
        .normalize('NFC')
        .toLowerCase()
        .match(/[가-힣]{2,}|[a-z]{4,}/gu) ?? []
    )
      .filter((word) => !materialStem.test(word))
      .map((word) => word.slice(0, /[a-z]/u.test(word) ? stemLength.en : stemLength.ko));
  const known = new Set(stemsOf(question));
  return new Set(stemsOf(text).filter((stem) => known.has(stem))).size;
}
