import type { Request } from '@bunri/queue-contracts';
import { exponential, type Random } from './simulation-random.ts';

/** A request as it is submitted. */
export interface Arrival {
  readonly atMs: number;
  readonly owner: string;
  readonly priority: Request['priority'];
  /** From its submission on. */
  readonly deadlineMs: number;
}

/** Those of the api where a client gives none. */
const deadlinesMs = { interactive: 120_000, batch: 24 * 3600 * 1000 } as const;

function arrival(atMs: number, owner: string, priority: Arrival['priority'] = 'interactive'): Arrival {
  return { atMs, owner, priority, deadlineMs: deadlinesMs[priority] };
}

/** Each request of an owner of its own, at random times. */
export function steady(random: Random, options: { perMinute: number; lengthMs: number }): Arrival[] {
  return varying(random, { ...options, share: () => 1 });
}

/** `share` of `perMinute`, in 0 to 1, is what comes at a time; a thinned Poisson process (Lewis and Shedler, 1979). */
export function varying(
  random: Random,
  { perMinute, lengthMs, share }: { perMinute: number; lengthMs: number; share: (atMs: number) => number },
): Arrival[] {
  const arrivals: Arrival[] = [];
  const meanMs = 60_000 / perMinute;
  for (let at = exponential(random, meanMs); at < lengthMs; at += exponential(random, meanMs)) {
    if (random() < share(at)) arrivals.push(arrival(at, `owner-${arrivals.length}`));
  }
  return arrivals;
}

/** An office morning: from a tenth of the peak up to it, and down to a tenth again, as a cosine. */
export function officeHours(
  random: Random,
  { perMinute, lengthMs }: { perMinute: number; lengthMs: number },
): Arrival[] {
  const share = (at: number) => 0.1 + (0.9 * (1 - Math.cos((2 * Math.PI * at) / lengthMs))) / 2;
  return varying(random, { perMinute, lengthMs, share });
}

/** Everybody in the same millisecond. */
export function burst(count: number): Arrival[] {
  return Array.from({ length: count }, (_, n) => arrival(0, `owner-${n}`));
}

/** One owner's batch, sent at once, beside interactive requests of others. */
export function batchBeside(
  random: Random,
  { count, perMinute, lengthMs }: { count: number; perMinute: number; lengthMs: number },
): Arrival[] {
  const batch = Array.from({ length: count }, () => arrival(0, 'batch', 'batch'));
  return [...batch, ...steady(random, { perMinute, lengthMs })];
}
