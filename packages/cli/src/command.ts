import type { Operator } from '@bunri/runtime';

/** How a command ends, for scripts. Those above 1 are of sysexits.h. */
export const exitCodes = { done: 0, notDone: 1, usage: 64, unavailable: 69, config: 78 } as const;

/** A command that was not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a command may touch of its process. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who runs it, for the audit: `cli:` and the name of the user. */
  readonly actor: string;
  /** Writes a line of the result. */
  readonly out: (line: string) => void;
  /** Writes a line about the result. */
  readonly err: (line: string) => void;
  /** Asks a person for a line; undefined where there is none. Ctrl-C and the end of the input give ''. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Writes text as it is where standard output is a terminal; undefined where it is none. */
  readonly draw: ((text: string) => void) | undefined;
  /** Aborted when the command is to stop. */
  readonly signal: AbortSignal;
}

/** @returns the exit code. @throws UsageError */
export type Command = (args: string[], io: CommandIo, open: () => Promise<Operator>) => Promise<number>;

/** A command with the words that describe it. */
export interface CommandEntry {
  /** What stands after its name. */
  readonly takes: string;
  readonly does: string;
  /** Its own options with what they mean. */
  readonly options?: readonly (readonly [option: string, meaning: string])[];
  /** More that somebody should know before running it. */
  readonly notes?: readonly string[];
  readonly run: Command;
}

/** What stands after `bunri`: it takes all that follows, `--help` left out. */
export interface Program {
  /** The help for what follows; for all where that names nothing. */
  help(args: readonly string[]): string;
  run(args: string[], io: CommandIo): Promise<number>;
}
