import { compareReplay, startReplay, type Operator, type ReplayRefusal } from '@bunri/runtime';
import { onlyId, parse, toCount } from './queuectl-args.ts';
import { describeDiff, describeRequest } from './queuectl-print.ts';
import type { Command, CommandIo } from './queuectl-command.ts';

const flag = { type: 'boolean', default: false } as const;

export const showFlow: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: flag, 'show-question': flag });
  const id = onlyId(positionals);
  const { inspector } = await open();
  const found = await inspector.inspect(id, { question: values['show-question'] });
  if (!found) throw notFound(id);
  for (const line of values.json ? [JSON.stringify(found, null, 2)] : describeRequest(found)) io.out(line);
  return 0;
};

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
  const started = await startReplay(operator, original, {
    visionModel: values['vision-model'],
    llmModel: values['llm-model'],
    deadlineMs: toCount('--deadline', values.deadline, 86_400) * 1000,
  });
  if (started.outcome === 'gone') throw notFound(original);
  if (started.outcome === 'refused') throw new Error(`${original} cannot be replayed: ${refusals[started.reason]}`);
  const { id } = started.record.request;
  if (!started.queued)
    io.err('queuectl: its jobs could not be queued now; the scheduler queues them within two minutes');
  if (!values.wait) {
    if (values.json) io.out(JSON.stringify({ id, replay_of: original, queued: started.queued }, null, 2));
    else io.out(`Replay ${id} was accepted. When it has ended: diff ${id}`);
    return 0;
  }
  io.err(`Replay ${id}`);
  const end = await operator.openFeed().follow(id, 0, ({ type, data }) => tell(io, type, data), io.signal);
  if (end === 'left') {
    io.err(`queuectl: no longer waiting; the replay goes on, and diff ${id} compares it`);
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

async function compare({ records }: Operator, id: string, asJson: boolean, io: CommandIo): Promise<number> {
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
      for (const line of asJson ? [JSON.stringify(comparison.diff, null, 2)] : describeDiff(comparison.diff))
        io.out(line);
      return 0;
  }
}

function notFound(id: string): Error {
  return new Error(`there is no request ${id}, or it is past its retention`);
}
