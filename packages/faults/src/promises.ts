import type { FailureCode } from '@bunri/queue-contracts';
import type { Tally } from './accounting.ts';

/** The longest time to recover, in seconds: the lock of a dead worker included. */
export const longestRecoveryS = 45;

/** What a scenario may do beyond the promises that hold in all of them. */
export interface Leniency {
  /** Codes with which requests may fail. */
  readonly mayFail: readonly FailureCode[];
  /** Whether requests may end with 410, as when the store came back empty. */
  readonly mayForget: boolean;
}

/** Which promises were broken, in words; empty when all were kept. */
export function brokenPromises(result: Tally, { mayFail, mayForget }: Leniency): string[] {
  const { calls } = result;
  const unexpected = Object.entries(result.failed).filter(([code]) => !mayFail.some((allowed) => allowed === code));
  const broken: (string | false)[] = [
    result.accepted === 0 && 'no request was accepted, so that nothing was shown',
    result.completed === 0 && 'no request was completed',
    result.lost.length > 0 && `lost: ${some(result.lost)}`,
    result.answeredTwice > 0 && `answered twice: ${result.answeredTwice}`,
    result.brokenStreams.length > 0 && `events with a gap, a repetition or no end: ${some(result.brokenStreams)}`,
    result.doubledKeys.length > 0 && !mayForget && `two requests for one key: ${some(result.doubledKeys)}`,
    result.gone > 0 && !mayForget && `${result.gone} requests were forgotten (410)`,
    calls.made > calls.needed + calls.inFlight &&
      `${calls.made} model calls, where ${calls.needed} were needed and ${calls.inFlight} were cut off`,
    unexpected.length > 0 && `requests failed: ${unexpected.map(([code, n]) => `${n} × ${code}`).join(', ')}`,
  ];
  return broken.filter((line) => line !== false);
}

/** The promise about recovery, for the scenarios that have one. */
export function brokenRecovery(seconds: number | null): string[] {
  if (seconds === null) return ['it did not recover while it was watched'];
  return seconds < longestRecoveryS ? [] : [`${seconds.toFixed(1)} s to recover, more than ${longestRecoveryS}`];
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
