/** How an attempt that was let in ended, as far as it tells of the endpoint. */
export type LaneOutcome = 'answered' | 'failed';

export type LaneEntry =
  | { readonly admitted: true; leave(outcome: LaneOutcome): void }
  /** The endpoint or its owner has as many attempts in flight as it may; there is room after this time. */
  | { readonly admitted: false; readonly reason: 'busy'; readonly waitMs: number }
  /** The endpoint failed several times in a row and is left alone for now. */
  | { readonly admitted: false; readonly reason: 'paused' };

export interface LanesOptions {
  readonly now: () => number;
  /** Attempts in flight to one endpoint. Default 4. */
  readonly perEndpoint?: number;
  /** Attempts in flight for one owner. Default 8. */
  readonly perOwner?: number;
}

interface Lane {
  active: number;
  /** Attempts in a row that failed. */
  failures: number;
  pausedUntil: number;
  pauseMs: number;
  /** When the next of those that wait may come. */
  line: number;
  meanMs: number;
  usedAt: number;
}

const failuresThatPause = 5;
const firstPauseMs = 30_000;
const longestPauseMs = 5 * 60_000;
const leastWaitMs = 100;
const longestWaitMs = 60 * 60_000;
const maxLanes = 5_000;

/**
 * Fair use of a process's slots. An endpoint is an owner's host and port: what one owner's endpoint does is nothing to
 * another owner's, even at the same host. What finds no room is given a place in the endpoint's line, as far apart as its
 * attempts lately took, so that a thousand events for a slow endpoint come back one by one and not all at once.
 */
export function createLanes({ now, perEndpoint = 4, perOwner = 8 }: LanesOptions) {
  const lanes = new Map<string, Lane>();
  const owners = new Map<string, number>();

  function laneOf(key: string): Lane {
    let lane = lanes.get(key);
    if (!lane) {
      if (lanes.size >= maxLanes) forgetOldest();
      lane = { active: 0, failures: 0, pausedUntil: 0, pauseMs: firstPauseMs, line: 0, meanMs: 250, usedAt: 0 };
      lanes.set(key, lane);
    }
    lane.usedAt = now();
    return lane;
  }

  /** A tenth of the lanes, so that this is seldom needed. Those in use stay. */
  function forgetOldest(): void {
    const idle = [...lanes].filter(([, { active }]) => active === 0);
    idle.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key] of idle.slice(0, maxLanes / 10)) lanes.delete(key);
  }

  function settle(lane: Lane, outcome: LaneOutcome, startedAt: number): void {
    lane.active -= 1;
    lane.meanMs = lane.meanMs * 0.8 + (now() - startedAt) * 0.2;
    if (outcome === 'answered') {
      lane.failures = 0;
      lane.pauseMs = firstPauseMs;
      lane.pausedUntil = 0;
      return;
    }
    lane.failures += 1;
    if (lane.failures < failuresThatPause || now() < lane.pausedUntil) return;
    lane.pausedUntil = now() + lane.pauseMs;
    lane.pauseMs = Math.min(lane.pauseMs * 2, longestPauseMs);
  }

  return {
    /** How many endpoints are remembered. */
    get size(): number {
      return lanes.size;
    },

    /** @param asked somebody waits to see what happens: a pause does not hold it up, a lack of room does. */
    enter(owner: string, url: string, asked: boolean): LaneEntry {
      const lane = laneOf(`${owner} ${new URL(url).host}`);
      const at = now();
      const ofOwner = owners.get(owner) ?? 0;
      if (!asked && lane.pausedUntil > at) return { admitted: false, reason: 'paused' };
      // After a pause one attempt goes ahead and tells whether the others may follow.
      const room = lane.failures >= failuresThatPause && !asked ? 1 : perEndpoint;
      if (lane.active >= room || ofOwner >= perOwner) {
        const spacing = lane.meanMs / perEndpoint;
        lane.line = Math.min(Math.max(lane.line, at + leastWaitMs) + spacing, at + longestWaitMs);
        return { admitted: false, reason: 'busy', waitMs: Math.ceil(lane.line - at) };
      }
      lane.active += 1;
      owners.set(owner, ofOwner + 1);
      let left = false;
      return {
        admitted: true,
        leave(outcome) {
          if (left) return;
          left = true;
          settle(lane, outcome, at);
          const others = (owners.get(owner) ?? 1) - 1;
          if (others > 0) owners.set(owner, others);
          else owners.delete(owner);
        },
      };
    },
  };
}
export type Lanes = ReturnType<typeof createLanes>;
