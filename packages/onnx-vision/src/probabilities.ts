/**
 * An estimate of a model that says nothing of how its confidence was calibrated is held below the 0.6 from which on an
 * item is taken for certain: the person is asked.
 */
export const uncalibratedCap = 0.5;

/** Of one photo. */
export interface LabelEstimate {
  readonly labels: 'materials' | 'items';
  /** Likeliest first, each once; at most `mostRanked`. What they leave of 1 is anything else. */
  readonly ranked: readonly { readonly label: string; readonly probability: number }[];
  /** Whether whoever made the model gave it a temperature; without one no probability is above `uncalibratedCap`. */
  readonly calibrated: boolean;
}

const mostRanked = 20;

/**
 * Probabilities that sum up to 1, of logits or of such probabilities, at a temperature: above 1 it makes them less sure.
 *
 * @throws Error for numbers that cannot be what they are said to be.
 */
export function toProbabilities(
  values: ArrayLike<number>,
  kind: 'logits' | 'probabilities',
  temperature = 1,
): readonly number[] {
  const given = Array.from(values);
  if (!given.every(Number.isFinite)) throw new Error('the model gave numbers that are not finite');
  const total = given.reduce((sum, value) => sum + value, 0);
  if (kind === 'probabilities' && (given.some((value) => value < -1e-3) || Math.abs(total - 1) > 0.02)) {
    throw new Error(`the model gave no probabilities: they sum up to ${total.toFixed(3)}; are they logits?`);
  }
  const logits = kind === 'logits' ? given : given.map((value) => Math.log(Math.max(1e-12, value)));
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - highest) / temperature));
  const sum = powers.reduce((all, power) => all + power, 0);
  return powers.map((power) => power / sum);
}

/** Of logits each for itself (SigLIP); since a thing is one item only, together they are never more than 1. */
export function toExclusive(logits: readonly number[], temperature = 1): readonly number[] {
  const each = logits.map((logit) => 1 / (1 + Math.exp(-logit / temperature)));
  const total = Math.max(
    1,
    each.reduce((sum, value) => sum + value, 0),
  );
  return each.map((value) => value / total);
}

/** Ranks labels by what the model gave each; `classes` has one a probability. */
export function rank(
  probabilities: readonly number[],
  classes: readonly (string | null)[],
  { labels, calibrated }: Pick<LabelEstimate, 'labels' | 'calibrated'>,
): LabelEstimate {
  const sums = new Map<string, number>();
  for (const [index, label] of classes.entries()) {
    if (label !== null) sums.set(label, (sums.get(label) ?? 0) + (probabilities[index] ?? 0));
  }
  const most = calibrated ? 1 : uncalibratedCap;
  const ranked = [...sums]
    .map(([label, sum]) => ({ label, probability: Math.min(most, sum) }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, mostRanked);
  return { labels, ranked, calibrated };
}
