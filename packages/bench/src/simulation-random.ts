/** Numbers in [0, 1) that only look random: the same seed gives the same ones. Mulberry32. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The time between two arrivals of a Poisson process, in the unit of `mean`. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}
