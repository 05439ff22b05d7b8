import type { Condition, Locale, WasteCategory } from '@bunri/queue-contracts';
import { withParticle } from './particles.ts';
import type { Place } from './place-words.ts';

interface Words {
  /** What to do with a thing of each bin, as a clause; a recyclable's with the name of its stream. */
  readonly discard: Readonly<Record<WasteCategory, (stream: string) => string>>;
  /** The name of a stream in a sentence, from the Korean term and the place that it stands for. */
  readonly stream: (term: string, place: Place | undefined) => string;
  readonly certain: (item: string, discard: string) => string;
  /** Before what answers a question about a place. */
  readonly yes: string;
  readonly no: string;
  /** Where the condition of the thing decides. */
  readonly inCondition: (item: string, discard: string) => string;
  readonly uncertain: (item: string, discard: string) => string;
  readonly thisThing: string;
  /** Of a thing that nobody could name, but whose material was told. */
  readonly ofMaterial: (discard: string) => string;
  /** Where nothing is known of the thing, so that no bin is named. */
  readonly unknown: string;
  readonly noRules: string;
  readonly offTopic: string;
  /** Who reads the guidance must know that no model wrote it. */
  readonly withoutModel: string;
  readonly whatIsIt: string;
  readonly whichOne: (items: readonly string[]) => string;
  /** Asks whether something is allowed. */
  readonly permission: RegExp;
  /** Asks about putting something somewhere, not about what is done to it before. */
  readonly puts: RegExp;
  /** Of questions that have nothing to do with things to be discarded, and of those that do. */
  readonly elsewhere: RegExp;
  readonly disposal: RegExp;
  /** The part of a rule that says when it applies, from the narrowest reading to the widest. */
  readonly clauses: readonly RegExp[];
  /** How such a part names a state of the thing, and how to ask for it. */
  readonly states: Readonly<Record<keyof Condition, { readonly named: RegExp; readonly question: string }>>;
}

const ko: Words = {
  discard: {
    recyclable: (stream) => `${withParticle(stream, '으로/로')} 분리배출해 주세요`,
    general: () => '종량제봉투에 담아 일반 쓰레기로 버려 주세요',
    noncombustible: () => '불연성 쓰레기로 따로 내놓아 주세요',
    food: () => '음식물 쓰레기로 내놓아 주세요',
    bulky: () => '대형폐기물로 신고하고 내놓아 주세요',
    hazardous: () => '생활계 유해폐기물이니 따로 내놓아 주세요',
    construction: () => '공사장 생활폐기물로 따로 내놓아 주세요',
  },
  stream: (term, place) => (place === undefined ? '재활용품' : term),
  certain: (item, discard) => `${withParticle(item, '은/는')} ${discard}.`,
  inCondition: (item, discard) => `${withParticle(item, '은/는')} 지금 상태로는 ${discard}.`,
  uncertain: (item, discard) => `사진만으로는 확실하지 않지만, ${withParticle(item, '이라면/라면')} ${discard}.`,
  yes: '네, ',
  no: '아니요, ',
  thisThing: '이 물건',
  ofMaterial: (discard) => `어떤 물건인지 확실하지 않지만, 말씀하신 재질로만 된 물건이라면 ${discard}.`,
  unknown: '어떤 물건인지 알 수 없어서 어디에 버릴지는 아직 말씀드릴 수 없어요.',
  noRules: '이 물건에 맞는 배출 규칙을 찾지 못했으니, 버리기 전에 지자체에 확인해 주세요.',
  offTopic: '저는 분리배출만 도와드릴 수 있어요.',
  withoutModel: '지금은 언어 모델의 답을 쓸 수 없어 배출 규칙만으로 안내해 드려요.',
  whatIsIt: '이 물건은 무엇이고, 어떤 재질인가요?',
  whichOne: (items) => `이 물건은 다음 중 무엇인가요: ${items.join(', ')}?`,
  permission:
    /^(?!.*(?:어떻게|어디|어느|무엇|뭐)).*(?:돼|되나|되는|되죠|될까|될지|괜찮|가능|수 있|하나요|[야해]요\?|인가요|맞나요)/su,
  puts: /버[리려릴린]|넣|섞|내놓|재활용|배출/u,
  elsewhere:
    /날씨|주식|환율|농담|번역|노래|영화|뉴스|요리법|레시피|대통령|코딩|프로그램|숙제|몇 시|시를 (?:써|지어)|안녕/u,
  disposal: /버[리려릴린]|배출|분리|재활용|쓰레기|봉투|수거|넣|헹|씻|라벨|뚜껑|떼|내놓|이거|이건|이것|물건|사진/u,
  clauses: [/^.*(?:면|때|경우)(?=[ ,에])/u, /^.*?(?:은|는)(?= )/u],
  states: {
    cap: { named: /뚜껑|마개/u, question: '뚜껑이나 마개가 달려 있나요?' },
    rinsed: { named: /헹구|헹궈|씻지 않|씻었|씻은/u, question: '속을 비우고 헹궜나요?' },
    contamination: {
      named: /더럽|더러|이물질|오염|기름|곰팡이|얼룩|양념|찌꺼기|묻[었어은]|배었|밴|씻기지|지워지지/u,
      question: '씻어도 지워지지 않는 오염이 있나요?',
    },
    label: { named: /라벨|상표|스티커|송장|테이프/u, question: '라벨이나 테이프가 붙어 있나요?' },
    contents: { named: /내용물|가스|남았|남아|남은|들어 있|비우지/u, question: '안에 내용물이 남아 있나요?' },
    attachments: {
      named: /붙어|붙었|달려|달린|부품|스프링|철심|다른 재질|전지가|배터리가/u,
      question: '다른 재질의 부품이 붙어 있나요?',
    },
    damage: { named: /깨[지진졌]|부서|파손|금이 가|망가/u, question: '깨지거나 부서진 곳이 있나요?' },
    size: { named: /들어가지 (?:않|못)|안 들어가|크면|커서|큰 것/u, question: '종량제봉투에 들어가는 크기인가요?' },
    hazard: { named: /부풀|부푼|새[면는]|샜|샌/u, question: '부풀거나 새는 곳이 있나요?' },
    quantity: {
      named: /여러|많으면|많은|대량|이상이면|몇 (?:개|장)/u,
      question: '한 개만 버리시나요, 여러 개를 버리시나요?',
    },
  },
};

/** The streams as people name them; their terms are Korean. */
const englishStreams: Partial<Record<Place, string>> = {
  'clear-pet': 'clear PET bottles',
  plastics: 'plastics',
  vinyl: 'plastic film',
  styrofoam: 'styrofoam',
  'paper-pack': 'cartons',
  paper: 'paper',
  glass: 'glass bottles',
  metal: 'cans and metal',
  textile: 'clothes and textiles',
  battery: 'batteries',
  lamp: 'lamps',
  electronics: 'electronics',
};

const en: Words = {
  discard: {
    recyclable: (stream) => `put it out with ${stream}`,
    general: () => 'put it into the standard garbage bag, as general waste',
    noncombustible: () => 'put it out as non-combustible waste',
    food: () => 'put it out as food waste',
    bulky: () => 'report it and put it out as bulky waste',
    hazardous: () => 'keep it apart and hand it in as household hazardous waste',
    construction: () => 'put it out as small construction waste',
  },
  stream: (term, place) =>
    place === undefined ? 'recyclables' : `${englishStreams[place] ?? 'recyclables'} (${term})`,
  certain: (item, discard) => `${item}: ${discard}.`,
  inCondition: (item, discard) => `${item}, in the condition that it is in: ${discard}.`,
  uncertain: (item, discard) => `The photo does not show it for certain, but if this is “${item}”, ${discard}.`,
  yes: 'Yes – ',
  no: 'No – ',
  thisThing: 'This thing',
  ofMaterial: (discard) => `It is not certain what it is, but if it is made of nothing but that material, ${discard}.`,
  unknown: 'It is not known yet what this is, so nothing can be said about where it goes.',
  noRules: 'No disposal rule was found for it, so ask your municipality before you discard it.',
  offTopic: 'I can only help with sorting and discarding waste.',
  withoutModel: 'No language model could be used just now, so this is made from the disposal rules alone.',
  whatIsIt: 'What is this thing, and what is it made of?',
  whichOne: (items) => `Which of these is it: ${items.join(', ')}?`,
  permission:
    /^(?!.*\b(?:how|where|what|which)\b).*\b(?:can|may|could|must|should|do i|does it|is it|allowed|ok|okay|fine)\b/isu,
  puts: /\b(?:put|throw|mix|go|goes|recycl\w*|bin|discard)\b/iu,
  elsewhere:
    /\b(?:weather|stocks?|exchange rate|joke|translate|song|movie|news|president|homework|poem|code|hello)\b/iu,
  disposal:
    /\b(?:throw|discard|dispose|recycl\w*|waste|trash|garbage|rubbish|bin|bag|rinse|wash|label|lid|cap|put|this|it)\b/iu,
  clauses: [/\b(?:if|when|where|unless|until|once)\b[^,.;:]*/iu, /^.*?(?=\b(?:goes|go|is|are|may|must)\b)/iu],
  states: {
    cap: { named: /\b(?:cap|lid|stopper)s?\b/iu, question: 'Does it have a cap or lid on it?' },
    rinsed: { named: /\brins/iu, question: 'Is it emptied and rinsed?' },
    contamination: {
      named: /\b(?:dirt|soil|stain|greas|oil|sauce|mould|contamin)|\b(?:wash|rinse)(?:es)? off/iu,
      question: 'Is there dirt on it that does not wash off?',
    },
    label: { named: /\b(?:label|tape|sticker)s?\b/iu, question: 'Does it have a label or tape on it?' },
    contents: { named: /\b(?:contents?|left in|remain\w*|gas|still holds?)\b/iu, question: 'Is anything left inside?' },
    attachments: {
      named: /\b(?:attached|attachments?|parts?|spring|staples?|holds? a battery|other materials?)\b/iu,
      question: 'Are parts of another material attached?',
    },
    damage: { named: /\b(?:broken|breaks?|cracked|damaged)\b/iu, question: 'Is it broken?' },
    size: { named: /\b(?:too (?:large|big)|not fit|fits)\b/iu, question: 'Does it fit into a garbage bag?' },
    hazard: { named: /\b(?:swollen|leak\w*|bulg\w*)\b/iu, question: 'Is it swollen or leaking?' },
    quantity: { named: /\b(?:several|many|large amounts?)\b/iu, question: 'Is it one, or are there several?' },
  },
};

/** The words around the rules in guidance that no model wrote. */
export const words: Readonly<Record<Locale, Words>> = { ko, en };
