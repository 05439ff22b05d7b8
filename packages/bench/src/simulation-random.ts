/** Numbers in [0, 1). */
export type Random = () => number;

/** The time between two arrivals of a Poisson process, in the unit of `mean`. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}
