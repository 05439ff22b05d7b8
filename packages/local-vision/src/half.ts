/** The values of numbers in IEEE 754 half precision. */
export function fromHalves(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  // A loop: `Float32Array.from` with a function takes a second for the weights of a network.
  for (let index = 0; index < values.length; index += 1) values[index] = fromHalf(halves[index] ?? 0);
  return values;
}

/** By exponent, for one step of the fraction. */
const steps = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(1, exponent) - 25));

function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction : 1024 + fraction) * (steps[exponent] ?? 0);
}

/** The nearest half-precision number; what is too small becomes 0. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -24) return sign;
  if (size >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const scaled = Math.round((size / 2 ** exponent) * 1024);
  // Rounding up may reach the next power of two.
  if (scaled === 2048) return sign | ((exponent + 16) << 10);
  return scaled < 1024 ? sign | scaled : sign | ((exponent + 15) << 10) | (scaled - 1024);
}
