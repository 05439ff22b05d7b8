import { ConfigError, RedisUnreachable } from '@bunri/runtime';
import { exitCodes, UsageError, type CommandIo, type Program } from './command.ts';
import { invocation, unknownCommand } from './program.ts';

/** Loaded when they are asked for: a command starts as fast as what it needs. */
const programs: Readonly<Record<string, { does: string; load: () => Promise<Program> }>> = {
  keys: { does: 'API keys: create, list, rotate, revoke', load: async () => (await import('./keys.ts')).keys },
  queues: {
    does: 'queues, failed requests and Redis: look, repair, stop, clear',
    load: async () => (await import('./queues/program.ts')).queues,
  },
  batch: { does: 'ask about many photos', load: async () => (await import('./batch/program.ts')).batch },
  audit: { does: 'what people did to the system', load: async () => (await import('./audit.ts')).audit },
};

const usage = [
  `Usage: ${invocation} <command> [options]`,
  '',
  ...Object.entries(programs).map(([name, { does }]) => `  ${name.padEnd(8)}  ${does}`),
  '',
  'Exit codes: 0 done; 1 not done, not found, or a check failed; 64 not understood; 69 Redis cannot be reached;',
  '78 a setting is missing or wrong.',
].join('\n');

/** Runs one command. @returns the exit code of the process. */
export async function runBunri(args: readonly string[], io: CommandIo): Promise<number> {
  const [name = '', ...rest] = args;
  if (name === '' || name === '--help' || name === '-h' || name === 'help') {
    (name === '' ? io.err : io.out)(usage);
    return name === '' ? exitCodes.usage : exitCodes.done;
  }
  try {
    const found = Object.hasOwn(programs, name) ? programs[name] : undefined;
    if (!found) throw unknownCommand('', name, Object.keys(programs));
    const program = await found.load();
    if (rest.some((word) => word === '--help' || word === '-h')) {
      io.out(program.help(rest));
      return exitCodes.done;
    }
    return await program.run(rest, io);
  } catch (error) {
    io.err(`bunri: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof UsageError) io.err(`bunri: ${invocation} ${helpFor(args)} --help says what there is`);
    return exitCodeOf(error);
  }
}

/** The words before the first option, as far as they name a command. */
function helpFor(args: readonly string[]): string {
  const [name = '', second = ''] = args;
  if (!Object.hasOwn(programs, name)) return '';
  return /^[a-z]+$/.test(second) ? `${name} ${second}` : name;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof RedisUnreachable) return exitCodes.unavailable;
  return error instanceof ConfigError ? exitCodes.config : exitCodes.notDone;
}
