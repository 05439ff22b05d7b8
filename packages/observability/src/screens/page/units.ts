// Numbers as Grafana writes them (packages/grafana-data/src/valueFormats): what is scaled, by what, and how it is called.

interface Unit {
  readonly prefix?: string;
  /** From the smallest on; a value takes the last one that it reaches. */
  readonly scales: readonly (readonly [from: number, suffix: string])[];
}

const counts: Unit['scales'] = [
  [1, ''],
  [1e3, ' K'],
  [1e6, ' Mil'],
  [1e9, ' Bil'],
];
const binary = (suffix: string): Unit => ({
  scales: ['', 'Ki', 'Mi', 'Gi', 'Ti'].map((prefix, power) => [1024 ** power, ` ${prefix}${suffix}`]),
});
const decimal = (suffix: string): Unit => ({
  scales: ['', 'k', 'M', 'G', 'T'].map((prefix, power) => [1000 ** power, ` ${prefix}${suffix}`]),
});
const perTime = (suffix: string): Unit => ({
  scales: ['', 'K', 'M', 'B'].map((prefix, power) => [1000 ** power, `${prefix} ${suffix}`]),
});
const times = [
  [1e-9, ' ns'],
  [1e-6, ' µs'],
  [1e-3, ' ms'],
  [1, ' s'],
  [60, ' mins'],
  [3600, ' hours'],
  [86_400, ' days'],
  [604_800, ' weeks'],
] as const;
const time = (seconds: number): Unit => ({ scales: times.map(([from, suffix]) => [from / seconds, suffix]) });

const units: Readonly<Record<string, Unit>> = {
  none: { scales: [[1, '']] },
  short: { scales: counts },
  percent: { scales: [[1, '%']] },
  percentunit: { scales: [[0.01, '%']] },
  s: time(1),
  ms: time(1e-3),
  bytes: binary('B'),
  decbytes: decimal('B'),
  Bps: decimal('B/s'),
  binBps: binary('B/s'),
  reqps: perTime('req/s'),
  ops: perTime('ops/s'),
  cps: perTime('c/s'),
  rps: perTime('rd/s'),
  reqpm: perTime('req/m'),
  opm: perTime('ops/m'),
  cpm: perTime('c/m'),
  currencyUSD: { prefix: '$', scales: counts.map(([from, suffix]) => [from, suffix.trim()]) },
};

/** Whether a scale of this unit is 1024 of the one before. */
export const isBinary = (unit: string) => unit === 'bytes' || unit === 'binBps';

/** Names of the units that can be written. */
export const unitNames: ReadonlySet<string> = new Set(Object.keys(units));

export interface Written {
  readonly number: string;
  /** Begins with a space where one belongs before it. */
  readonly suffix: string;
}

/**
 * A value in its unit. A unit that is not known is the value's suffix, as in Grafana.
 * @param decimals of the scaled number; without it three digits that say something.
 */
export function writeValue(value: number, unit: string, decimals?: number): Written {
  const { prefix = '', scales } = units[unit] ?? { scales: [[1, ` ${unit}`]] as const };
  const size = Math.abs(value);
  const fits = scales.filter(([from]) => size >= from);
  // Nought, and what is smaller than anything that has a name, has no scale of its own.
  const scale = size === 0 ? scales.find(([from]) => from === 1) : (fits.at(-1) ?? scales[0]);
  const [from, suffix] = scale ?? scales[0] ?? [1, ''];
  const scaled = value / from;
  const number = scaled.toFixed(Math.min(decimals ?? decimalsOf(scaled), 20));
  return { number: `${scaled < 0 ? '-' : ''}${prefix}${number.replace('-', '')}`, suffix };
}

function decimalsOf(scaled: number): number {
  if (Number.isInteger(scaled)) return 0;
  const digitsBefore = Math.floor(Math.log10(Math.abs(scaled))) + 1;
  return Math.max(0, 3 - Math.max(digitsBefore, 1) + (digitsBefore < 1 ? -digitsBefore : 0));
}

/**
 * The labels of an axis: as many decimals as its steps need in the scale of each value.
 * @param step between two values of the axis.
 */
export function writeTicks(values: readonly number[], unit: string, step: number): string[] {
  return values.map((value) => {
    for (let decimals = 0; decimals < 6; decimals += 1) {
      const written = writeValue(value, unit, decimals);
      if (isExact(value, unit, decimals, step)) return `${written.number}${written.suffix}`;
    }
    const { number, suffix } = writeValue(value, unit);
    return `${number}${suffix}`;
  });
}

/** Whether nothing of the value is lost that is worth as much as a hundredth of a step. */
function isExact(value: number, unit: string, decimals: number, step: number): boolean {
  const short = Number(writeValue(value, unit, decimals).number.replace(/[^\d.-]/g, ''));
  const long = Number(writeValue(value, unit, 12).number.replace(/[^\d.-]/g, ''));
  const scale = long === 0 ? 1 : value / long;
  return Math.abs((short - long) * scale) <= step / 100;
}
