import { catalogue, itemById, knownMaterials, materialsOf, streamOf, type Material } from '@bunri/knowledge';
import type { Classification } from '@bunri/queue-contracts';

type Agreement = NonNullable<Classification['agreement']>;
type Candidates = NonNullable<Classification['candidates']>;

/** How far the word of the local model counts beside that of a model that sees the thing itself. */
const reliability: Readonly<Record<Agreement, number>> = { item: 0.5, bin: 0.25, none: 0.5 };
/** From here on a classification is taken for certain, and nobody is asked; a contradiction keeps it below. */
const certainFrom = 0.6;
const uncertain = 0.59;
/** A contradiction is worth a question from here on: it is as likely as not what the photo shows. */
const worthAsking = 0.5;
const mostCandidates = 4;
/** Of them, what the local model takes the thing for. */
const mostLocal = 2;

/** Collection streams of which the local model has seen anything. */
const knownStreams: ReadonlySet<string> = new Set([
  ...Object.values(streamOf),
  ...catalogue.items.filter((item) => materialsOf(item).length > 0).map(({ subcategory }) => subcategory),
]);

/**
 * What the model of an API and the local one make together of one photo. The API's sees things, the local one materials:
 * so the classification stays the API's, and the local one makes it more or less certain. Pure.
 *
 * By Dempster's rule for two pieces of evidence (Shafer: A Mathematical Theory of Evidence, 1976): p is the API's
 * confidence, q the local one's, discounted by how far it counts, which is 0.5, and 0.25 where both agree on no more than
 * material or bin. Agreement gives 1 - (1 - p)(1 - q), contradiction p(1 - q) / (1 - pq). The same material leaves open which
 * of its things it is, and makes nothing certain that was not. A contradiction of at least 0.5 keeps the confidence below
 * 0.6, and adds what the local model takes the thing for, so that the person is asked.
 *
 * Of kinds that it was not trained on the local model says nothing either way: what it takes them for means nothing.
 */
export function mergeOpinions(api: Classification, local: Classification): Classification {
  const agreement = agreementOf(api, local);
  const opinions = [api, local].map(({ engine, item_id, item_name, waste_category, confidence }) => ({
    engine,
    item_id,
    item_name,
    waste_category,
    confidence,
  }));
  const merged = { ...api, opinions, agreement };
  if (!knows(api) || !knows(local)) return merged;
  const p = api.confidence;
  const q = reliability[agreement] * local.confidence;
  if (agreement === 'none') return { ...merged, ...contradicted(api, local, { p, q }) };
  const both = 1 - (1 - p) * (1 - q);
  const stays = agreement === 'bin' && p < certainFrom;
  const confidence = round(stays ? Math.min(both, uncertain) : both);
  // Rounding must not lower it, nor lift it to where it becomes certain.
  return { ...merged, confidence: Math.max(p, confidence) };
}

function contradicted(
  api: Classification,
  local: Classification,
  { p, q }: { p: number; q: number },
): Pick<Classification, 'confidence' | 'candidates'> {
  const confidence = Math.min(p, round((p * (1 - q)) / (1 - p * q)));
  if (local.confidence < worthAsking) return { confidence };
  // The part of the evidence that is left for what the local model says.
  const share = (reliability.none * (1 - p)) / (1 - p * q);
  const ideas: Candidates =
    local.item_id === null
      ? (local.candidates ?? [])
      : [{ item_id: local.item_id, item_name: local.item_name, confidence: local.confidence }];
  const ofLocal = ideas.slice(0, mostLocal).map((idea) => ({ ...idea, confidence: round(idea.confidence * share) }));
  const known = new Set([api.item_id, ...ofLocal.map(({ item_id }) => item_id)]);
  const ofApi = (api.candidates ?? []).filter(({ item_id }) => !known.has(item_id));
  const candidates = [...ofLocal.filter(({ item_id }) => item_id !== api.item_id), ...ofApi]
    .slice(0, mostCandidates)
    .toSorted((a, b) => b.confidence - a.confidence);
  return { confidence: Math.min(confidence, uncertain), ...(candidates.length > 0 ? { candidates } : {}) };
}

function agreementOf(api: Classification, local: Classification): Agreement {
  if (api.item_id !== null && api.item_id === local.item_id) return 'item';
  const sameBin = api.waste_category === local.waste_category && api.subcategory === local.subcategory;
  const ofApi = materialsSeen(api);
  return sameBin || materialsSeen(local).some((material) => ofApi.includes(material)) ? 'bin' : 'none';
}

/** What the thing is made of, as far as the local model can tell such materials: of its item, or of its stream. */
function materialsSeen({ item_id, subcategory }: Classification): readonly Material[] {
  const item = item_id === null ? undefined : itemById(item_id);
  if (item) return materialsOf(item);
  return knownMaterials.filter((material) => streamOf[material] === subcategory);
}

/** Whether the local model was trained on anything like it. */
function knows({ item_id, subcategory }: Classification): boolean {
  const item = item_id === null ? undefined : itemById(item_id);
  return item ? materialsOf(item).length > 0 : knownStreams.has(subcategory);
}

function round(confidence: number): number {
  return Math.round(confidence * 1000) / 1000;
}
