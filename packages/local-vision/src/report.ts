import { calibrationError, coverageAt, rightShare, type Choice } from './calibration.ts';
import type { Trained } from './train.ts';

export interface MaterialReport {
  readonly photos: number;
  /** Share that was right, without abstention. */
  readonly accuracy: number;
  readonly coverage: readonly { readonly coverage: number; readonly accuracy: number; readonly threshold: number }[];
  readonly calibrationError: number;
  readonly classes: readonly string[];
  /** Of each class, how often its photos were taken for each class. */
  readonly confusion: readonly (readonly number[])[];
  readonly text: string;
}

type Facts = Omit<MaterialReport, 'text'>;

/** What a training prints. */
export function trainingReport({ figures, confusion, coverage, classes }: Trained, photos: number): MaterialReport {
  const facts: Facts = { photos, ...figures, coverage, classes, confusion };
  const unknown =
    figures.unknownKinds === null
      ? []
      : [`a kind that was left out has the lower energy in ${percent(figures.unknownKinds)} of pairs (50 % is chance)`];
  return { ...facts, text: [written(facts), ...unknown].join('\n') };
}

/** What an evaluation on photos that the head has never seen prints. */
export function evaluationReport(
  choices: readonly (Choice & { label: number; chosen: number })[],
  classes: readonly string[],
): MaterialReport {
  const confusion = classes.map((_, label) =>
    classes.map((__, chosen) => choices.filter((each) => each.label === label && each.chosen === chosen).length),
  );
  const facts: Facts = {
    photos: choices.length,
    accuracy: rightShare(choices),
    coverage: coverageAt(choices, [1, 0.9, 0.8, 0.7, 0.6, 0.5]),
    calibrationError: calibrationError(choices),
    classes,
    confusion,
  };
  return { ...facts, text: written(facts) };
}

function written({ photos, accuracy, coverage, calibrationError: error, classes, confusion }: Facts): string {
  const width = Math.max(...classes.map(({ length }) => length), 6) + 1;
  const rows = confusion.map((row, index) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const right = total === 0 ? '–' : percent((row[index] ?? 0) / total);
    return `${(classes[index] ?? '').padEnd(width)}${row.map((count) => String(count).padStart(width)).join('')}  ${right}`;
  });
  return [
    `${photos} photos, ${percent(accuracy)} right; expected calibration error ${error.toFixed(3)}`,
    ...coverage.map(
      ({ coverage: share, accuracy: right, threshold }) =>
        `  of the surest ${percent(share)} (confidence from ${threshold.toFixed(2)}): ${percent(right)} right`,
    ),
    `${'is, taken for'.padEnd(width)}${classes.map((name) => name.padStart(width)).join('')}`,
    ...rows,
  ].join('\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
