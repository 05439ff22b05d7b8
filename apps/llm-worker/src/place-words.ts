import type { Outcome, WasteCategory } from '@bunri/queue-contracts';

const streams = [
  'clear-pet',
  'plastics',
  'vinyl',
  'styrofoam',
  'paper-pack',
  'paper',
  'glass',
  'metal',
  'textile',
  'battery',
  'lamp',
  'electronics',
] as const;

/** A bin, or a stream of the recyclables. */
export type Place = WasteCategory | (typeof streams)[number];

interface PlaceWords {
  /** Names nothing but the place. */
  readonly place?: string;
  /** Names a material or a thing, and the place only where the sentence puts something there. */
  readonly thing?: string;
  /** How the terms of the collection streams name it. */
  readonly term?: RegExp;
}

type Vocabulary = Readonly<Record<Place, { readonly ko: PlaceWords; readonly en: PlaceWords }>>;

/** Where a word that also names what lies about is a place. */
const behindPreposition = '(?<=\\b(?:is|are|not|as|into|in|with|of|for) (?:the )?)';

/** In the order of looking: what holds another's word stands before it. */
const vocabulary: Vocabulary = {
  noncombustible: {
    ko: { place: '불연성(?: ?(?:종량제|쓰레기|폐기물|전용))*(?: ?(?:봉투|마대))?|특수 ?규격 ?(?:마대|봉투)' },
    en: { place: 'non-?combustible(?: (?:garbage|waste|sack|bag))*' },
  },
  construction: {
    ko: { place: '(?:공사장|건설) ?(?:생활 ?)?폐기물|(?:건설|공사장|폐기물) ?마대' },
    en: { place: '(?:small )?construction waste' },
  },
  food: {
    ko: { place: '음식물(?:류(?: ?폐기물)?| ?쓰레기(?![를가])| ?(?:전용 ?)?(?:수거함|수거통|봉투))' },
    en: { place: `food[- ]waste (?:bin|bag)|${behindPreposition}food[- ]waste` },
  },
  bulky: { ko: { place: '대형 ?(?:생활 ?)?폐기물' }, en: { place: 'bulky waste' } },
  hazardous: {
    ko: { place: '(?:생활계 ?)?유해 ?폐기물|폐의약품 ?수거함' },
    en: { place: '(?:household )?hazardous waste|medicine (?:collection )?bin' },
  },
  general: {
    ko: { place: '(?:일반 ?)?종량제(?: ?(?:봉투|쓰레기))?|일반 ?쓰레기|쓰레기 ?봉투' },
    en: {
      place: `(?:general|ordinary) waste|(?:standard |ordinary )?(?:garbage|trash|rubbish) (?:bag|bin)|${behindPreposition}(?:ordinary )?(?:garbage|trash|rubbish)`,
    },
  },
  'clear-pet': {
    ko: { place: '(?:투명|무색) ?페트병? ?(?:전용 ?)?수거함', thing: '(?:투명|무색) ?페트병?', term: /무색|투명/ },
    en: { place: 'clear[- ]PET (?:bottle )?(?:bin|bag)', thing: 'clear[- ]PET(?: bottles?)?' },
  },
  plastics: {
    ko: { place: '플라스틱(?:류| ?수거함)', thing: '플라스틱', term: /플라스틱/ },
    en: {
      place: 'plastics(?: (?:bin|bag|recycling))?|plastic (?:bin|recycling)',
      thing: 'plastic(?! (?:bag|film|wrap))',
    },
  },
  vinyl: {
    ko: { place: '비닐(?:류| ?수거함)', thing: '비닐', term: /비닐/ },
    en: { place: '(?:plastic[- ]film|vinyl) (?:bin|recycling)', thing: 'plastic film|vinyl' },
  },
  styrofoam: {
    ko: { place: '스티로폼(?:류| ?수거함)|발포 ?합성 ?수지', thing: '스티로폼', term: /스티로폼|발포/ },
    en: { place: 'styrofoam (?:bin|recycling)', thing: 'styrofoam' },
  },
  'paper-pack': {
    ko: { place: '(?:종이|우유|멸균)팩(?:류| ?(?:전용 ?)?수거함)', thing: '(?:종이|우유|멸균)팩', term: /종이팩/ },
    en: { place: 'carton (?:collection )?(?:bin|recycling)', thing: '(?:milk |aseptic )?cartons' },
  },
  paper: {
    ko: { place: '종이(?:류| ?수거함)|폐지', thing: '종이', term: /종이류|^종이$/ },
    en: { place: 'paper (?:bin|recycling)', thing: 'paper' },
  },
  glass: {
    ko: { place: '유리(?:병류|류|병? ?수거함)', thing: '유리병?', term: /유리/ },
    en: { place: 'glass(?:-bottle)? (?:bin|recycling)', thing: 'glass(?: bottles?)?' },
  },
  metal: {
    ko: { place: '(?:금속|캔)(?:캔?류| ?수거함)|고철류?', thing: '금속캔?|캔', term: /캔|고철|금속/ },
    en: { place: '(?:can|metal) (?:bin|recycling)|scrap metal', thing: 'cans|metal' },
  },
  textile: {
    ko: { place: '(?:의류|헌 ?옷) ?수거함', thing: '의류|섬유류', term: /의류|섬유|원단/ },
    en: { place: '(?:used-)?clothes (?:collection )?bin', thing: 'textiles|clothes' },
  },
  battery: {
    ko: { place: '(?:폐?(?:건전지|전지|배터리)) ?(?:전용 ?)?수거함|전지류', term: /전지/ },
    en: { place: 'battery (?:collection )?bin', thing: 'batteries' },
  },
  lamp: {
    ko: { place: '폐?(?:형광등|조명) ?(?:전용 ?)?수거함', thing: '조명제품', term: /조명|형광/ },
    en: { place: 'lamp (?:collection )?bin', thing: 'lamps' },
  },
  electronics: {
    ko: { place: '(?:중소형|소형)? ?폐?가전 ?수거함', thing: '(?:소형|폐) ?가전|전자제품', term: /전자/ },
    en: { place: '(?:small[- ])?appliance (?:collection )?bin', thing: '(?:small )?appliances?|electronics' },
  },
  recyclable: {
    ko: {
      place: '재활용(?:품|함|쓰레기| ?수거함)|재활용(?:이|은|도)? ?(?=되나|되는|돼요\\?|될까|가능)',
      thing: '재활용',
    },
    en: { place: 'recyclables|recycling bin|in (?:the )?recycling', thing: 'recycling' },
  },
};

const places = Object.keys(vocabulary) as Place[];

/** What stands around the name of a thing where the sentence puts something there. */
const role = {
  koAfter:
    '(?=(?:으로|로) ?(?:따로 |함께 |같이 )?(?:분리|분류|배출|버[리려릴린]|내 ?놓|내세|모[으아]|넣|보내|처리|받)|에 ?(?:버[리려릴린]|배출|섞)|(?:와|과|랑|하고) ?(?:함께|같이|섞))',
  enBefore:
    '(?<=\\b(?:put|puts|go|goes|sort|sorted|recycle|recycled|discard|throw|thrown|place|placed|collected|dispose|belongs?|counts?|mix|mixed|treated?)\\b[^.;:,]{0,40}?\\b(?:with|as|into) (?:(?:the|other|your|ordinary) )*(?:[\\w-]+(?: [\\w-]+)?,? (?:or|and) )?)',
};

export const placePattern = {
  ko: patternOf('ko', (thing) => `(?:${thing})${role.koAfter}`, ''),
  en: patternOf('en', (thing) => `${role.enBefore}(?:${thing})\\b`, '\\b'),
} as const;

/** One expression with a group a place; the places' own names are looked for before the things'. */
function patternOf(language: 'ko' | 'en', inRole: (thing: string) => string, edge: string): RegExp {
  const groups = places.map((name, i) => {
    const { place, thing } = vocabulary[name][language];
    const either = [...(place ? [`${edge}(?:${place})${edge}`] : []), ...(thing ? [inRole(thing)] : [])];
    return `(?<p${i}>${either.join('|')})`;
  });
  return new RegExp(groups.join('|'), language === 'en' ? 'giu' : 'gu');
}

/** The place whose group of `placePattern` has matched. */
export function matchedPlace(groups: Readonly<Record<string, string | undefined>>): Place | undefined {
  return places.find((_, i) => groups[`p${i}`] !== undefined);
}

/** The places that an outcome stands for: its bin, and the stream where its term names one; none where it is unknown. */
export function outcomePlaces(outcome: Pick<Outcome, 'waste_category' | 'subcategory'> | undefined): Place[] {
  if (outcome === undefined) return [];
  const { waste_category, subcategory } = outcome;
  if (waste_category !== 'recyclable') return [waste_category];
  return [waste_category, ...places.filter((place) => vocabulary[place].ko.term?.test(subcategory))];
}
