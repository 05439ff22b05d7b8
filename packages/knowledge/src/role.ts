import { isSyllable } from './jamo.ts';
import type { Mention } from './mentions.ts';
import type { Run } from './runs.ts';

/** What a name does in a question, in the order in which it is likely to be the thing that the question is about. */
export const roles = ['thing', 'predicate', 'modifier', 'part', 'means', 'company', 'place'] as const;
export type Role = (typeof roles)[number];

/** One of the mentions of a text. */
export interface Place {
  readonly runs: readonly Run[];
  readonly mentions: readonly Mention[];
  /** Of the mentions before it. */
  readonly given: readonly Role[];
  readonly at: number;
}

/** The words of the data that tell roles apart, as they stand in keys or in texts. */
export interface RoleWords {
  readonly streams: ReadonlySet<string>;
  readonly residues: ReadonlySet<string>;
  /** Kinds and substances: behind a name they say what it is. */
  readonly said: ReadonlySet<string>;
  readonly linkKo: ReadonlySet<string>;
  readonly linkEn: ReadonlySet<string>;
}

export function isHangul({ key }: Mention): boolean {
  return isSyllable(key, key.length - 1);
}

/** Whether something is done to it: "remove the cap", 뚜껑 떼고. */
export function isHandled(runs: readonly Run[], { from }: Mention): boolean {
  return [runs[from - 1], runs[from - 2]].some((run) => run?.isHandling === true);
}
