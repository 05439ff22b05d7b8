import { calibrationError, coverageAt, fitTemperature, rightShare, type Choice } from './calibration.ts';
import { foldsOf } from './blocks.ts';
import { energy, logitsOf, toBase64, type HeadFile } from './head.ts';
import { fitLogistic, softmax, type Linear } from './logistic.ts';

/** A photo as the head sees it. */
export interface Sample {
  /** Folder that it came from; photos that follow each other there may show the same thing. */
  readonly folder: string;
  readonly material: string;
  readonly features: Float32Array;
}

export interface TrainOptions {
  readonly regularisation: number;
  /** Parts of the cross-validation. */
  readonly folds: number;
  /** Whether each class is left out once, to see how well unknown kinds are told. */
  readonly leaveOut: boolean;
  readonly say: (line: string) => void;
}

export interface Trained {
  readonly classes: readonly string[];
  readonly linear: Linear;
  readonly temperature: number;
  readonly energies: readonly number[];
  readonly figures: HeadFile['trained']['figures'];
  /** Of each class, how often unseen photos of it were taken for each class. */
  readonly confusion: readonly (readonly number[])[];
  readonly coverage: ReturnType<typeof coverageAt>;
}

/** Shares of the photos that are kept, for the report. */
const shares = [1, 0.9, 0.8, 0.7, 0.6, 0.5];

/**
 * Trains the head on all photos, and measures it on photos whose whole series it had not seen: temperature, energies and
 * every figure come from the folds in which a photo was left out.
 *
 * @throws Error for fewer than two classes, or a class with fewer series than folds would leave empty.
 */
export function train(samples: readonly Sample[], options: TrainOptions): Trained {
  const classes = [...new Set(samples.map(({ material }) => material))].toSorted();
  if (classes.length < 2) throw new Error('there must be photos of at least two materials');
  const labels = samples.map(({ material }) => classes.indexOf(material));
  const logits = crossValidate(samples, labels, classes.length, options);
  const judged = logits.map((each, index) => ({ logits: each, label: labels[index] ?? 0 }));
  const temperature = fitTemperature(judged);
  const choices = judged.map(({ logits: each, label }) => choiceOf(each, label, temperature));
  const coverage = coverageAt(choices, shares);
  const unknownKinds = options.leaveOut ? tellsUnknownKinds(samples, labels, classes, options) : null;
  options.say('the head itself');
  return {
    classes,
    linear: fit(samples, labels, classes.length, options),
    temperature,
    energies: percentiles(logits.map(energy)),
    figures: {
      accuracy: rightShare(choices),
      accuracyAt70: coverage.find(({ coverage: share }) => Math.abs(share - 0.7) < 0.01)?.accuracy ?? 0,
      calibrationError: calibrationError(choices),
      unknownKinds,
    },
    confusion: confusionOf(judged, classes.length),
    coverage,
  };
}

/** The head's file, without the parts that only who trained it knows. */
export function headContent(
  { classes, linear, temperature, energies, figures }: Trained,
  about: Pick<HeadFile, 'version' | 'backbones'> & { date: string; samples: readonly Sample[] },
): HeadFile {
  const { version, backbones, date, samples } = about;
  const count = (material: string) => samples.filter((sample) => sample.material === material).length;
  const rounded = (value: number | null) => (value === null ? null : Math.round(value * 10_000) / 10_000);
  return {
    format: 1,
    version,
    classes: [...classes],
    backbones,
    weights: toBase64(linear.weights),
    bias: [...linear.bias],
    temperature,
    energies: [...energies],
    trained: {
      date,
      photos: samples.length,
      perClass: Object.fromEntries(classes.map((material) => [material, count(material)])),
      figures: {
        accuracy: rounded(figures.accuracy) ?? 0,
        accuracyAt70: rounded(figures.accuracyAt70) ?? 0,
        calibrationError: rounded(figures.calibrationError) ?? 0,
        unknownKinds: rounded(figures.unknownKinds),
      },
    },
  };
}

export function choiceOf(logits: Float32Array, label: number, temperature: number): Choice {
  const probabilities = softmax(logits, temperature);
  const confidence = Math.max(...probabilities);
  return { confidence, isRight: probabilities.indexOf(confidence) === label };
}

function crossValidate(
  samples: readonly Sample[],
  labels: readonly number[],
  classes: number,
  options: TrainOptions,
): Float32Array[] {
  const folds = foldsOf(
    samples.map(({ folder }) => folder),
    options.folds,
  );
  const logits: Float32Array[] = samples.map(() => new Float32Array(classes));
  for (let fold = 0; fold < options.folds; fold += 1) {
    options.say(`fold ${fold + 1} of ${options.folds}`);
    const isIn = folds.map((each) => each !== fold);
    const kept = <T>(values: readonly T[]) => values.filter((_, index) => isIn[index]);
    const { weights, bias } = fit(kept(samples), kept(labels), classes, options);
    for (const [index, { features }] of samples.entries()) {
      if (!isIn[index]) logits[index] = logitsOf(features, weights, bias);
    }
  }
  return logits;
}

function fit(
  samples: readonly Sample[],
  labels: readonly number[],
  classes: number,
  { regularisation }: TrainOptions,
): Linear {
  const width = samples[0]?.features.length ?? 0;
  const rows = new Float32Array(samples.length * width);
  for (const [index, { features }] of samples.entries()) rows.set(features, index * width);
  return fitLogistic(rows, labels, width, { classes, regularisation });
}

/**
 * Each class is left out of a training once, and its photos are compared with unseen ones of the other classes: how often
 * the energy of the unknown kind is the lower one, over all classes (area under the ROC curve).
 */
function tellsUnknownKinds(
  samples: readonly Sample[],
  labels: readonly number[],
  classes: readonly string[],
  options: TrainOptions,
): number {
  const folds = foldsOf(
    samples.map(({ folder }) => folder),
    options.folds,
  );
  const areas = classes.map((material, left) => {
    options.say(`without ${material}`);
    const known = samples.flatMap((sample, index) => (labels[index] === left ? [] : [{ sample, index }]));
    const trainedOn = known.filter(({ index }) => folds[index] !== 0);
    const relabelled = trainedOn.map(({ index }) => (labels[index] ?? 0) - ((labels[index] ?? 0) > left ? 1 : 0));
    const { weights, bias } = fit(
      trainedOn.map(({ sample }) => sample),
      relabelled,
      classes.length - 1,
      options,
    );
    const of = ({ features }: Sample) => energy(logitsOf(features, weights, bias));
    const unseen = known.filter(({ index }) => folds[index] === 0).map(({ sample }) => of(sample));
    const unknown = samples.filter((_, index) => labels[index] === left).map(of);
    return areaUnderCurve(unknown, unseen);
  });
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}

/** How often a value of the first list is below one of the second; ties count half. */
export function areaUnderCurve(lower: readonly number[], higher: readonly number[]): number {
  const sorted = higher.toSorted((a, b) => a - b);
  const below = (value: number, orEqual: boolean) => {
    let [from, to] = [0, sorted.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      const at = sorted[middle] ?? 0;
      if (at < value || (orEqual && at === value)) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  const wins = lower.reduce((sum, value) => {
    const [less, upTo] = [below(value, false), below(value, true)];
    return sum + (sorted.length - upTo) + (upTo - less) / 2;
  }, 0);
  return wins / (lower.length * higher.length);
}

function percentiles(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return Array.from({ length: 99 }, (_, index) => sorted[Math.floor(((index + 1) / 100) * sorted.length)] ?? 0);
}

function confusionOf(judged: readonly { logits: Float32Array; label: number }[], classes: number): number[][] {
  const table = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  for (const { logits, label } of judged) {
    const row = table[label];
    const chosen = logits.indexOf(Math.max(...logits));
    if (row) row[chosen] = (row[chosen] ?? 0) + 1;
  }
  return table;
}
