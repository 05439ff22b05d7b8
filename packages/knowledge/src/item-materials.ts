import type { Item } from './schema.ts';

/** What the local vision model can tell apart: the classes of its head. */
export const knownMaterials = ['carton', 'food', 'glass', 'metal', 'paper', 'plastic', 'textile', 'wood'] as const;
export type Material = (typeof knownMaterials)[number];

/** The collection stream where most things of a material go; each names its material among the others. */
export const streamOf: Readonly<Record<Material, string>> = {
  carton: '종이팩',
  food: '음식물류',
  glass: '유리병',
  metal: '금속캔',
  paper: '종이류',
  plastic: '플라스틱류',
  textile: '의류·섬유류',
  wood: '일반종량제',
};

/**
 * Groups of the catalogue of which no training photo was seen. The model takes such a thing for something else, and often
 * surely: what it says of one means nothing. Clear and coloured PET are one to it.
 */
const untrainedGroups: ReadonlySet<string> = new Set([
  'styrofoam',
  'vinyl',
  'clear-pet',
  'battery',
  'lamp',
  'electronics',
  'hazardous',
]);
const untrainedItems: ReadonlySet<string> = new Set([
  'coloured-pet-bottle',
  'food-pet-bottle',
  'cling-wrap',
  'ice-pack',
]);

/** How the catalogue names what things are made of; foils, foams and films are not in the photos that were trained on. */
const words: Readonly<Record<Exclude<Material, 'carton'>, RegExp>> = {
  food: /^(food|plant|bone|coffee|tea|tea\/filter|calcium carbonate)$/,
  glass: /\bglass$/,
  metal: /^(steel|stainless steel|aluminium|iron|copper|brass|metal|zinc)$/,
  paper: /^(paper|cardboard|paperboard|paper pulp|thermal paper|coated paper)$/,
  plastic:
    /^(plastic|mixed plastic|PET|PE|PP|PS|ABS|PC|PVC|PPSU|EVOH|acrylic|polycarbonate|polyethylene|polypropylene|Tritan|melamine resin|nylon|resin)$/,
  textile: /^(textile|cotton|leather|synthetic leather|polyester|synthetic fibre)$/,
  wood: /^(wood|bamboo|cork)$/,
};

/** The materials by which the local model may know an item; none where it was trained on nothing like it. */
export function materialsOf({ id, group, materials }: Pick<Item, 'id' | 'group' | 'materials'>): readonly Material[] {
  if (untrainedGroups.has(group) || untrainedItems.has(id)) return [];
  if (group === 'paper-pack') return ['carton'];
  return knownMaterials.filter((material) => {
    const pattern = material === 'carton' ? undefined : words[material];
    return pattern !== undefined && materials.some((name) => pattern.test(name));
  });
}
