import type { Operator } from '@bunri/runtime';

/** What a command may touch of its process. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of the result. */
  readonly out: (line: string) => void;
  /** Writes a line about the result. */
  readonly err: (line: string) => void;
  /** Asks a person; undefined where there is none. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Aborted when the command is to stop. */
  readonly signal: AbortSignal;
}

/** @returns the exit code: 0 done, 1 not done. @throws UsageError */
export type Command = (args: string[], io: CommandIo, open: () => Promise<Operator>) => Promise<number>;
