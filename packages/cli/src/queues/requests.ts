import { compareReplay, startReplay, type Operator, type ReplayRefusal } from '@bunri/runtime';
import { audited } from '../acting.ts';
import { onlyId, parse, toCount } from '../args.ts';
import type { Command, CommandIo } from '../command.ts';
import { asJson } from '../table.ts';
import { describeDiff } from './diff-print.ts';
import { notFound } from './show.ts';

const flag = { type: 'boolean', default: false } as const;

const refusals: Record<ReplayRefusal, string> = {
  open: 'it has not ended; cancel it or wait',
  no_image: 'it failed before its photo was prepared, so that there is nothing to run again',
};

export const replayRequest: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, {
    'vision-model': { type: 'string' },
    'llm-model': { type: 'string' },
    deadline: { type: 'string', default: '3600' },
    wait: flag,
    json: flag,
  });
  const original = onlyId(positionals);
  const operator = await open();
  const how = {
    visionModel: values['vision-model'],
    llmModel: values['llm-model'],
    deadlineMs: toCount('--deadline', values.deadline, 86_400) * 1000,
  };
  const started = await audited(operator, io, { action: 'requests.replay', target: original }, async () => {
    const result = await startReplay(operator, original, how);
    if (result.outcome === 'gone') throw notFound(original);
    if (result.outcome === 'refused') throw new Error(`${original} cannot be replayed: ${refusals[result.reason]}`);
    return { result, facts: { replay_id: result.record.request.id } };
  });
  const { id } = started.record.request;
  if (!started.queued) io.err('bunri: its jobs could not be queued now; the scheduler queues them within two minutes');
  if (!values.wait) {
    if (values.json) io.out(asJson({ id, replay_of: original, queued: started.queued }));
    else io.out(`Replay ${id} was accepted. When it has ended: queues diff ${id}`);
    return 0;
  }
  io.err(`Replay ${id}`);
  const end = await operator.openFeed().follow(id, 0, ({ type, data }) => tell(io, type, data), io.signal);
  if (end === 'left') {
    io.err(`bunri: no longer waiting; the replay goes on, and queues diff ${id} compares it`);
    return 1;
  }
  const code = await compare(operator, id, values.json, io);
  return (await operator.records.get(id))?.status === 'completed' ? code : 1;
};

function tell(io: CommandIo, type: string, data: Record<string, unknown>): void {
  if (type === 'stage.completed') io.err(`  ${String(data['stage'])} ${String(data['duration_ms'])} ms`);
  else if (type === 'stage.retrying')
    io.err(`  ${String(data['stage'])} will be tried again (${String(data['code'])})`);
}

export const diffReplay: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: flag });
  const id = onlyId(positionals);
  return await compare(await open(), id, values.json, io);
};

async function compare({ records }: Operator, id: string, json: boolean, io: CommandIo): Promise<number> {
  const comparison = await compareReplay(records, id);
  switch (comparison.outcome) {
    case 'gone':
      throw notFound(id);
    case 'no_replay':
      throw new Error(`${id} is no replay of another request`);
    case 'open':
      throw new Error(`the replay ${id} is ${comparison.status} still`);
    case 'original_gone':
      throw new Error(`${comparison.original}, which it repeats, is past its retention`);
    case 'compared':
      for (const line of json ? [asJson(comparison.diff)] : describeDiff(comparison.diff)) io.out(line);
      return 0;
  }
}
