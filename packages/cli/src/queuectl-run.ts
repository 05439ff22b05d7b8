import { openOperator, type Operator } from '@bunri/runtime';
import { UsageError } from './queuectl-args.ts';
import type { Command, CommandIo } from './queuectl-command.ts';
import { listDead, purgeDead, retryDead, showDead } from './queuectl-dead.ts';
import { diffReplay, replayRequest, showFlow } from './queuectl-requests.ts';

const usage = `Usage: npm run -s queuectl -- <command>

  dead list                      failed requests that may be retried, newest first
  dead show <id>                 one of them, with its stages and the times of its jobs
  dead retry <id...>|<filter>|--all    run them again, from the stage that failed on
  dead purge <id...>|<filter>|--all    remove them; uploads and images stay until their retention ends
  flow <id>                      the same picture of any request
  replay <id>                    run a finished request again, to compare
  diff <replay-id>               what a replay changed, and what it cost

Filters: --code <code>  --stage <stage>  --owner <owner>  --since <2h|date>  --until <2h|date>
  dead list    --limit <50>
  dead retry   --deadline <seconds, 3600>  --priority interactive|batch (batch)
  dead purge   --yes            do not ask
  dead show, flow   --show-question
  replay       --vision-model <m>  --llm-model <m>  --deadline <seconds, 3600>  --wait
  all          --json           for programs

REDIS_URL and REDIS_PREFIX say where. Exit codes: 0 done, 1 not done or not found, 2 not understood.
`;

const commands: Readonly<Record<string, Command>> = {
  'dead list': listDead,
  'dead show': showDead,
  'dead retry': retryDead,
  'dead purge': purgeDead,
  flow: showFlow,
  replay: replayRequest,
  diff: diffReplay,
};

/** Runs one command. @returns the exit code of the process. */
export async function runQueuectl(args: string[], io: CommandIo): Promise<number> {
  const words = args[0] === 'dead' ? 2 : 1;
  const name = args.slice(0, words).join(' ');
  const rest = args.slice(words);
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
    (args.length === 0 ? io.err : io.out)(usage);
    return args.length === 0 ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  let operator: Operator | undefined;
  try {
    if (!command) throw new UsageError(`there is no command ${name}; --help lists all there are`);
    return await command(rest, io, async () => (operator ??= await openOperator(io.env)));
  } catch (error) {
    io.err(`queuectl: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    await operator?.close();
  }
}
