import { softmax } from './logistic.ts';

/** One photo that the head had not seen: what it said, and what it was. */
export interface Judged {
  readonly logits: Float32Array;
  readonly label: number;
}

/** The temperature, from 0.3 to 3, at which the probabilities of these photos are likeliest. */
export function fitTemperature(judged: readonly Judged[]): number {
  const candidates = Array.from({ length: 55 }, (_, index) => 0.3 + index * 0.05);
  const loss = (temperature: number) =>
    judged.reduce(
      (sum, { logits, label }) => sum - Math.log(Math.max(1e-12, softmax(logits, temperature)[label] ?? 0)),
      0,
    );
  const losses = candidates.map(loss);
  return candidates[losses.indexOf(Math.min(...losses))] ?? 1;
}

/** What was chosen with which confidence, and whether it was right. */
export interface Choice {
  readonly confidence: number;
  readonly isRight: boolean;
}

/**
 * Expected calibration error: by how much confidence and accuracy differ, over 15 bins of equal width, weighed by how many
 * choices are in each (Guo et al. 2017).
 */
export function calibrationError(choices: readonly Choice[]): number {
  const bins = Array.from({ length: 15 }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const { confidence, isRight } of choices) {
    const bin = bins[Math.min(14, Math.floor(confidence * 15))];
    if (!bin) continue;
    bin.count += 1;
    bin.confidence += confidence;
    bin.right += isRight ? 1 : 0;
  }
  return (
    bins.reduce((sum, { confidence, right }) => sum + Math.abs(confidence - right), 0) / Math.max(1, choices.length)
  );
}

export interface Coverage {
  /** Share of all choices that are kept. */
  readonly coverage: number;
  /** Share of the kept that are right. */
  readonly accuracy: number;
  /** Confidence from which a choice is kept. */
  readonly threshold: number;
}

/** How right the surest choices are, for each share of all that is kept. */
export function coverageAt(choices: readonly Choice[], shares: readonly number[]): Coverage[] {
  const sorted = choices.toSorted((a, b) => b.confidence - a.confidence);
  return shares.map((share) => {
    const kept = sorted.slice(0, Math.max(1, Math.round(share * sorted.length)));
    return {
      coverage: kept.length / sorted.length,
      accuracy: rightShare(kept),
      threshold: kept.at(-1)?.confidence ?? 0,
    };
  });
}

export function rightShare(choices: readonly Choice[]): number {
  return choices.filter(({ isRight }) => isRight).length / Math.max(1, choices.length);
}
