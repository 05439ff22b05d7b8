import { access } from 'node:fs/promises';
import { InputError } from '@bunri/batches';
import { createClient } from '@bunri/client';
import { exitCodes, UsageError, type CommandIo, type Program } from '../command.ts';
import { invocation } from '../program.ts';
import { asJson } from '../table.ts';
import { deleteBatch } from './delete.ts';
import { openJournal } from './journal.ts';
import { RunStopped } from './one-row.ts';
import { optionLines, toBatchOptions, type BatchOptions } from './options.ts';
import { writeOutputs } from './outputs.ts';
import { readLocalRows, type LocalRow } from './rows.ts';
import { runRows } from './run-rows.ts';
import { runServerSide } from './server-side.ts';
import { summaryLines, toSummary } from './summary.ts';
import { createTally } from './tally.ts';
import { liveView, plainView } from './view.ts';

/** How the runner ends: 75 is EX_TEMPFAIL of sysexits.h, 130 what shells make of Ctrl-C. */
const batchExitCodes = { ...exitCodes, unavailable: 75, interrupted: 130 } as const;

/** `bunri batch`: asks about many photos, through the api alone. */
export const batch: Program = {
  help() {
    const width = Math.max(...optionLines.map(([option]) => option.length));
    return [
      `Usage: ${invocation} batch --csv-file <file> | --folder <folder> | --zip <file> [options]`,
      '',
      'Asks about many photos, and shows how it goes. A run that ends early, however it ends, is gone on with by the same command;',
      'each row is done once.',
      '',
      ...optionLines.map(([option, meaning]) => `  ${option.padEnd(width)}  ${meaning}`),
      '',
      'BUNRI_API_KEY has the API key. Exit codes: 0 all rows have an answer; 1 some have none; 64 the command or its rows were not',
      'understood; 75 the server cannot be reached or takes nothing; 130 interrupted.',
    ].join('\n');
  },

  async run(args, io) {
    try {
      if (args.some((arg) => /^--delete(=|$)/.test(arg))) return await deleteBatch(args, io);
      const options = toBatchOptions(args, io.env);
      return options.serverSide ? await runServerSide(options, io) : await runHere(options, io);
    } catch (error) {
      if (io.signal.aborted) return batchExitCodes.interrupted;
      if (error instanceof UsageError) throw error;
      io.err(`bunri batch: ${error instanceof Error ? error.message : String(error)}`);
      if (error instanceof InputError) return batchExitCodes.usage;
      return error instanceof RunStopped && error.unavailable ? batchExitCodes.unavailable : batchExitCodes.notDone;
    }
  },
};

async function runHere(options: BatchOptions, io: CommandIo): Promise<number> {
  const { rows, errors, close } = await readLocalRows(options.source);
  try {
    if (errors.length > 0) {
      for (const { row, field, message } of errors.slice(0, 20)) io.err(`row ${row}: ${field} ${message}`);
      throw new InputError(`${errors.length} things are wrong with the rows; nothing was sent`);
    }
    return await runJournaled(rows, options, io);
  } finally {
    await close();
  }
}

async function runJournaled(rows: readonly LocalRow[], options: BatchOptions, io: CommandIo): Promise<number> {
  const path = `${options.out}.journal`;
  if (options.journal === 'resume' && !(await exists(path)))
    throw new UsageError(`there is no run to resume: ${path} is missing`);
  const { journal, resumed } = await openJournal(path, options.journal === 'fresh' ? 'fresh' : 'auto');
  try {
    if (resumed) io.err(`going on with an earlier run (${journal.done.size} rows done); --fresh begins anew`);
    const tally = createTally({ total: rows.length, now: Date.now });
    const view = io.draw && !options.json ? liveView(io.draw, tally.read, Date.now) : plainView(io.err, tally.read);
    const client = createClient({
      baseUrl: options.server,
      apiKey: io.env['BUNRI_API_KEY'],
      patienceMs: options.patienceMs,
    });
    const { keys, stopped } = await runRows(rows, { client, options, journal, tally, view, signal: io.signal });
    view.close();
    const { counts } = await writeOutputs(options, journal, keys);
    const summary = toSummary(tally.read(), { counts, out: options.out, errors: options.errors }, Date.now());
    if (options.json) io.out(asJson(summary));
    else for (const line of summaryLines(summary)) io.out(line);
    if (io.signal.aborted) return batchExitCodes.interrupted;
    if (stopped !== null) throw stopped;
    return counts.completed === rows.length ? batchExitCodes.done : batchExitCodes.notDone;
  } finally {
    await journal.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
