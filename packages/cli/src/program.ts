import { openOperator, type Operator } from '@bunri/runtime';
import { UsageError, type CommandEntry, type Program } from './command.ts';

export const invocation = 'npm run -s bunri --';

/** Help is made from what the commands say of themselves, so that none is left out. */
export interface ProgramDescription {
  readonly name: string;
  readonly does: string;
  /** Headings with the names of their commands and these. '' is the command of a program that has only one. */
  readonly sections: Readonly<Record<string, Readonly<Record<string, CommandEntry>>>>;
  readonly notes?: readonly string[];
}

/** A program of commands that work on Redis, which is opened where one asks for it and closed with it. */
export function programOf(description: ProgramDescription): Program {
  const commands = new Map(Object.values(description.sections).flatMap((section) => Object.entries(section)));
  const single = commands.get('');
  return {
    help(args) {
      const entry = single ?? commands.get(args[0] ?? '');
      if (!entry) return helpOfAll(description);
      return helpOfOne([description.name, ...(single ? [] : [args[0] ?? ''])].join(' '), entry);
    },

    async run(args, io) {
      const name = single ? '' : (args[0] ?? '');
      const command = commands.get(name);
      if (!command) throw unknownCommand(description.name, name, [...commands.keys()]);
      let operator: Operator | undefined;
      try {
        return await command.run(args.slice(single ? 0 : 1), io, async () => (operator ??= await openOperator(io.env)));
      } finally {
        await operator?.close();
      }
    },
  };
}

function helpOfAll({ name, does, sections, notes = [] }: ProgramDescription): string {
  const lines = Object.entries(sections).flatMap(([heading, commands]) => [
    ...(heading === '' ? [] : ['', heading]),
    ...columns(Object.entries(commands).map(([word, { takes, does: what }]) => [`${word} ${takes}`.trim(), what])),
  ]);
  return [
    `Usage: ${invocation} ${name} <command> [options]`,
    '',
    does,
    ...(Object.keys(sections)[0] === '' ? [''] : []),
    ...lines,
    '',
    ...notes,
    `${name} <command> --help describes one. REDIS_URL and REDIS_PREFIX say where; the api need not run.`,
  ].join('\n');
}

function helpOfOne(name: string, { takes, does, options = [], notes = [] }: CommandEntry): string {
  return [
    `Usage: ${invocation} ${name} ${takes}`.trimEnd(),
    '',
    `${does[0]?.toUpperCase() ?? ''}${does.slice(1)}.`,
    ...(options.length > 0 ? ['', ...columns(options)] : []),
    ...(notes.length > 0 ? ['', ...notes] : []),
  ].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

/** An error that names the word that was probably meant. */
export function unknownCommand(program: string, word: string, known: readonly string[]): UsageError {
  const name = [program, word].filter((part) => part !== '').join(' ');
  const near = nearest(word, known);
  const hint = near === undefined ? `it knows ${known.join(', ')}` : `did you mean ${near}?`;
  if (word === '') return new UsageError(`${program} needs a command; ${hint}`);
  return new UsageError(`there is no command ${name}; ${hint}`);
}

/** The word that differs least, where it differs by at most two fifths of its letters. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((each) => ({ each, distance: distanceOf(word, each) }))
    .filter(({ each, distance }) => distance <= Math.max(1, Math.floor(each.length * 0.4)))
    .toSorted((a, b) => a.distance - b.distance);
  return best?.each;
}

/** How many letters have to be put in, taken out or changed (Levenshtein). */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
