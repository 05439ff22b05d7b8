import { asData } from '@bunri/engines';
import { wasteCategories, type ContextSentence, type Outcome } from '@bunri/queue-contracts';
import { mentionedPlaces, type Mention } from './places.ts';
import { outcomePlaces, type Place } from './place-words.ts';
import { sentencesOf } from './sentences.ts';

/** What decides which places guidance may name. */
export interface PlaceSources {
  readonly sentences: readonly ContextSentence[];
  /** Undefined where nothing is known of the thing: then no place is where it goes. */
  readonly outcome: Outcome | undefined;
  /** Where the thing goes in its usual condition. */
  readonly usual: Pick<Outcome, 'waste_category' | 'subcategory'> | undefined;
  readonly itemName: string;
  readonly question: string;
}

interface KnownPlaces {
  readonly texts: readonly string[];
  /** Where the thing and its parts go. */
  readonly goes: ReadonlySet<Place>;
  /** Where they may go, in whichever condition. */
  readonly offered: ReadonlySet<Place>;
  /** Where only other things go that this one is taken for, by the words that name them. */
  readonly ofOthers: ReadonlyMap<Place, ReadonlySet<string>>;
  readonly refused: ReadonlySet<Place>;
  readonly asked: ReadonlySet<Place>;
}

/**
 * What is wrong with the places that guidance names, in sentences for the model. A place must be named by the rules or be
 * the outcome; where the rules name it for another thing, the sentence must be about that. That something must not go
 * there may be said where a rule says so, of its usual place where its condition sends it elsewhere, or in answer to a
 * question that names it; never of a place where it goes.
 *
 * @param told answer, steps and warnings, the answer first.
 */
export function wrongPlaces(told: readonly string[], sources: PlaceSources): string[] {
  const known = knownPlaces(sources);
  const wrong = told
    .flatMap(sentencesOf)
    .flatMap((sentence) => mentionedPlaces(sentence).filter((mention) => !maySay(mention, sentence, known)));
  const named = [...new Set(wrong.map(({ words }) => words))].map(
    (words) => `"${asData(words, 40)}" was named as a place, but the rules do not say so of this thing.`,
  );
  return [...named, ...wrongYes(told[0] ?? '', sources.question, known)];
}

function knownPlaces({ sentences, outcome, usual, itemName, question }: PlaceSources): KnownPlaces {
  const said = sentences.flatMap((rule) => mentionedPlaces(rule.text).map((mention) => ({ ...mention, rule })));
  const positive = said.filter(({ isNegated }) => !isNegated);
  const placesOf = (some: readonly Mention[]) => some.map(({ place }) => place);
  const own = positive.filter(({ rule }) => rule.kind !== 'confusion');
  const steps = own.filter(({ rule }) => rule.kind === 'step');
  const offered = new Set([...outcomePlaces(outcome), ...placesOf(own)]);
  const ofOthers = new Map<Place, ReadonlySet<string>>();
  for (const { place, words, rule } of positive.filter((each) => !offered.has(each.place))) {
    const names = namesIn(rule.text, words, itemName);
    // Nothing tells whether a sentence is about a thing that the rule names by the same words.
    if (names.length === 0) offered.add(place);
    ofOthers.set(place, new Set([...(ofOthers.get(place) ?? []), ...names]));
  }
  return {
    texts: sentences.map(({ text }) => text),
    goes: new Set([...outcomePlaces(outcome), ...placesOf(steps)]),
    offered,
    ofOthers,
    refused: new Set(placesOf(said.filter(({ isNegated }) => isNegated))),
    // Who asks "can it be recycled?" is told no by every bin that is not for recyclables.
    asked: new Set([...placesOf(mentionedPlaces(question)), ...outcomePlaces(usual), 'recyclable']),
  };
}

function maySay({ place, isNegated }: Mention, sentence: string, known: KnownPlaces): boolean {
  const { goes, offered, ofOthers, refused, asked } = known;
  if (!isNegated) return offered.has(place) || isOfOther(place, sentence, known);
  if (refused.has(place)) return true;
  return !goes.has(place) && [offered, ofOthers, asked].some((places) => places.has(place));
}

function isOfOther(place: Place, sentence: string, { texts, ofOthers }: KnownPlaces): boolean {
  const names = ofOthers.get(place);
  if (names === undefined) return false;
  return texts.some((text) => text.includes(sentence)) || stemsOf(sentence).some((stem) => names.has(stem));
}

/** The words by which a rule about another thing names it, without those of the thing itself. */
function namesIn(text: string, place: string, itemName: string): string[] {
  const own = new Set([...stemsOf(itemName), ...stemsOf(place), ...fillers]);
  return stemsOf(text).filter((stem) => !own.has(stem));
}

const stemmed = /[가-힣]{2,}|[a-z]{4,}/gu;
const latin = /[a-z]/u;

/** Enough of each word to know it again with another particle or ending. */
function stemsOf(text: string): string[] {
  const words = text.normalize('NFC').toLowerCase().match(stemmed) ?? [];
  return words.map((word) => (latin.test(word) ? word.slice(0, 5) : word.slice(0, 2)));
}

/** What is done with things of any kind. */
const fillers = stemsOf(
  '이것 이런 함께 같이 따로 모두 다른 깨끗 처럼 같은 재활용 내놓 내놔 넣으 넣어 담아 담으 버리 버려 배출 분리 섞지 섞으 섞어 있습 있으 없습 됩니 돼요 아니 아닙 마세 주세 하세 수거 전용 봉투 물어 지역 지자 확인 모으 모아 받습 받는 처리 신고 ' +
    'only with into also other goes does this that they clean unlike instead while counts belongs sorted sort handed recycle recycling thing collection must never keep separate separately waste',
);

const yes = /^(?:네|예|맞아요|맞습니다|yes)(?!\p{L})/iu;

/** Yes to a question that would put the thing where no rule puts it. */
function wrongYes(answer: string, question: string, known: KnownPlaces): string[] {
  const [first = ''] = sentencesOf(answer);
  if (!yes.test(first)) return [];
  const named = mentionedPlaces(question);
  const isStream = (place: Place) => !wasteCategories.some((bin) => bin === place);
  const isPossible = (place: Place) =>
    known.offered.has(place) ||
    (place === 'recyclable' && [...known.offered].some(isStream)) ||
    isOfOther(place, `${question} ${first}`, known);
  const isWrong = named.length > 0 && named.every(({ place, isNegated }) => !isNegated && !isPossible(place));
  return isWrong ? ['The answer said yes to a place that no rule names for this thing.'] : [];
}
