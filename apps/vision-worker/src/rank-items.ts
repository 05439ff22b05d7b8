import {
  itemById,
  knownMaterials,
  materialsOf,
  searchItems,
  streamOf,
  type Item,
  type Material,
} from '@bunri/knowledge';
import { conditionSchema, type Locale, type WasteCategory } from '@bunri/queue-contracts';
import type { MaterialEstimate } from '@bunri/local-vision';
import type { VisionAnswer } from './classify.ts';

interface MaterialFacts {
  /** Where most things of it go. */
  readonly waste_category: WasteCategory;
  /** What a thing of it is called that nobody has named; the look-up passes over it, since it names no item. */
  readonly names: Readonly<Record<Locale, string>>;
  /** What such things usually are, most usual first. */
  readonly usual: readonly string[];
  /** Its things go so many ways that the material decides nothing: the person is asked. */
  readonly alwaysAsk?: true;
}

/**
 * What a material says of the bin. Glass and metal go two ways each (bottles and drinking glasses, cans and scrap), which
 * the usual items show, so that the person is asked; of cartons, paper, textiles and food one way is by far the likeliest.
 */
export const materialFacts: Readonly<Record<Material, MaterialFacts>> = {
  carton: {
    waste_category: 'recyclable',
    names: { ko: '종이팩으로 된 것', en: 'something of carton' },
    usual: ['milk-carton', 'aseptic-carton', 'juice-carton', 'cream-carton'],
  },
  food: {
    waste_category: 'food',
    names: { ko: '음식물로 보이는 것', en: 'food of some kind' },
    usual: ['leftovers', 'vegetable-scraps', 'fruit-peel', 'bread'],
  },
  glass: {
    waste_category: 'recyclable',
    names: { ko: '유리로 된 것', en: 'something of glass' },
    usual: ['glass-bottle', 'drinking-glass', 'sauce-jar', 'heat-resistant-glass'],
  },
  metal: {
    waste_category: 'recyclable',
    names: { ko: '금속으로 된 것', en: 'something of metal' },
    usual: ['beverage-can', 'scrap-metal', 'food-can', 'spray-can'],
  },
  paper: {
    waste_category: 'recyclable',
    names: { ko: '종이로 된 것', en: 'something of paper' },
    usual: ['cardboard-box', 'office-paper', 'paper-box', 'newspaper'],
  },
  plastic: {
    waste_category: 'recyclable',
    names: { ko: '플라스틱으로 된 것', en: 'something of plastic' },
    usual: ['clear-pet-bottle', 'delivery-container', 'plastic-bag', 'coloured-pet-bottle'],
    alwaysAsk: true,
  },
  textile: {
    waste_category: 'recyclable',
    names: { ko: '천으로 된 것', en: 'something of cloth' },
    usual: ['clothes', 'bag', 'shoes-bag', 'bed-sheet'],
  },
  wood: {
    waste_category: 'general',
    names: { ko: '나무로 된 것', en: 'something of wood' },
    usual: ['furniture', 'wood-scrap', 'wooden-utensil', 'chopsticks-wood'],
    alwaysAsk: true,
  },
};

/** A question names its thing where a name is found so well; one nearly as good is another that it may mean. */
const namedScore = 0.65;
const tieShare = 0.93;
/** What is less likely than this is not among what the thing may be. */
const likely = 0.2;
const worthShowing = 0.1;
/** Of photos of the eight materials, so many look less like them than this: below it a photo is taken for another kind's. */
const familiarFrom = 0.05;
/** Below the 0.6 from which on an item is taken for certain. */
const unsure = 0.5;
/** Of a thing that the person named and the model cannot know: their word counts, and it adds nothing. */
const unseen = 0.3;
/** How usual the usual items of a material are, by judgement: nobody has counted them. */
const usualShares = [0.5, 0.25, 0.15, 0.1];
const mostCandidates = 4;

/** Raised with every change here that may change an answer; belongs into its cache key. */
export const rankVersion = '2';

/** A material as it stands after what is known of the photo's familiarity. */
interface Likely {
  readonly material: Material;
  readonly probability: number;
}

/**
 * The answer of the local model, which knows materials and no items: the question's words name the thing, and the photo
 * says whether its material agrees. Pure.
 *
 * A confidence is never above the probability of the material, which was calibrated on photos like those of the training,
 * nor above `familiarity / 0.05` of it, so that a photo unlike all of them says little. It stays below 0.6 where the person
 * must be asked: for kinds without training photos, for words that several things share, and for materials whose things go
 * many ways. Of the condition the model knows nothing.
 */
export function rankItems(estimate: MaterialEstimate, question: string, locale: Locale): VisionAnswer {
  const factor = Math.min(1, estimate.familiarity / familiarFrom);
  const materials = estimate.materials
    .flatMap(({ material, probability }): Likely[] => {
      const known = knownMaterials.find((each) => each === material);
      return known === undefined ? [] : [{ material: known, probability: probability * factor }];
    })
    .toSorted((a, b) => b.probability - a.probability);
  const [best] = materials;
  if (!best) throw new Error('the local model told none of the materials that are known here');
  const named = namedItems(question, locale).map((item) => ({ item, support: supportOf(item, materials) }));
  const [only] = named;
  if (only && named.length === 1) return ofItem(only.item, only.support, materials, locale);
  // The person said a word for several things: the photo may tell which. One of a kind that it cannot know stays possible.
  const possible = named.filter(({ support }) => support === undefined || support >= likely * factor);
  const [one] = possible;
  if (one?.support !== undefined && possible.length === 1) {
    return ofItem(one.item, Math.min(unsure, one.support), materials, locale);
  }
  // Where the photo speaks against all of them it may be the one that errs.
  return ofMaterial(best, possible.length > 0 ? possible : named, materials, locale);
}

/** What the question names: one item, or all that the same words may mean. */
export function namedItems(question: string, locale: Locale): Item[] {
  const hits = searchItems(question, locale, 8).filter(({ score }) => score >= namedScore);
  const [first] = hits;
  return hits
    .filter(({ score }) => score >= (first?.score ?? 0) * tieShare)
    .flatMap(({ item_id }) => itemById(item_id) ?? []);
}

/** How far the photo agrees with an item: by the likeliest of its materials; undefined where it cannot know. */
function supportOf(item: Item, materials: readonly Likely[]): number | undefined {
  const own = materialsOf(item);
  if (own.length === 0) return undefined;
  return materials.find(({ material }) => own.includes(material))?.probability ?? 0;
}

function ofItem(item: Item, support: number | undefined, materials: readonly Likely[], locale: Locale): VisionAnswer {
  const confidence = round(support ?? unseen);
  return {
    item_id: item.id,
    waste_category: item.wasteCategory,
    subcategory: item.subcategory,
    item_name: item.names[locale],
    confidence,
    candidates: confidence < 0.6 ? usualItems(materials).filter(({ item_id }) => item_id !== item.id) : [],
    others: [],
    condition: nothingKnown,
  };
}

function ofMaterial(
  { material, probability }: Likely,
  possible: readonly { item: Item; support: number | undefined }[],
  materials: readonly Likely[],
  locale: Locale,
): VisionAnswer {
  const { waste_category, names, alwaysAsk } = materialFacts[material];
  const said = possible.map(({ item, support }) => ({ item_id: item.id, confidence: round(support ?? unseen) }));
  const mustAsk = alwaysAsk === true || possible.length > 0;
  return {
    item_id: null,
    waste_category,
    subcategory: streamOf[material],
    item_name: names[locale],
    confidence: round(mustAsk ? Math.min(unsure, probability) : probability),
    candidates: (said.length > 0 ? said : usualItems(materials)).slice(0, mostCandidates),
    others: [],
    condition: nothingKnown,
  };
}

/** The usual items of the three likeliest materials, as far as these are likely at all; of the first most. */
function usualItems(materials: readonly Likely[]): VisionAnswer['candidates'] {
  const [first, ...others] = materials.slice(0, 3).filter(({ probability }) => probability >= worthShowing);
  if (!first) return [];
  const items = ({ material, probability }: Likely, count: number) =>
    materialFacts[material].usual
      .slice(0, count)
      .map((item_id, place) => ({ item_id, confidence: round(probability * (usualShares[place] ?? 0)) }));
  return [...items(first, mostCandidates - others.length), ...others.flatMap((each) => items(each, 1))];
}

/** Every condition that is asked for, unknown. */
export const nothingKnown = Object.fromEntries(
  Object.keys(conditionSchema.shape).map((tag) => [tag, 'unknown']),
) as VisionAnswer['condition'];

function round(confidence: number): number {
  return Math.round(confidence * 1000) / 1000;
}
