import { jobDataSchema } from '@bunri/queue-contracts';
import { toResource, type Inspection, type Operator } from '@bunri/runtime';
import { onlyId, parse } from '../args.ts';
import type { Command } from '../command.ts';
import { asJson, printable, table } from '../table.ts';
import { closeQueues, openQueues } from './look.ts';
import { describeRequest } from './request-print.ts';

const flag = { type: 'boolean', default: false } as const;

export function notFound(id: string): Error {
  return new Error(`there is no request ${id}, or it is past its retention`);
}

type Shown = Inspection & { webhook: string | null; batch: { id: string; row: number } | null; logs: JobLog[] };

interface JobLog {
  readonly stage: string;
  readonly lines: readonly string[];
}

export const showRequest: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: flag, 'show-question': flag });
  const id = onlyId(positionals);
  const operator = await open();
  const [found, record] = await Promise.all([
    operator.inspector.inspect(id, { question: values['show-question'] }),
    operator.records.get(id),
  ]);
  if (!found || !record) throw notFound(id);
  const { webhookUrl, batch = null } = record.request;
  const shown: Shown = { ...found, webhook: withoutQuery(webhookUrl), batch, logs: await logsOf(operator, found) };
  for (const line of values.json ? [asJson(shown)] : describe(shown)) io.out(line);
  return 0;
};

/** A query may hold a signature. */
function withoutQuery(url: string | undefined): string | null {
  if (url === undefined) return null;
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

const mostLines = 50;

/** What BullMQ keeps beside a job, in the order of the stages. */
async function logsOf(operator: Operator, { jobs }: Inspection): Promise<JobLog[]> {
  const queues = await openQueues(operator);
  try {
    const logs = await Promise.all(
      jobs.map(async ({ stage, job_id: jobId }) => {
        const known = queues.find((each) => each.stage === stage);
        const found = await known?.queue.getJobLogs(jobId, 0, mostLines - 1);
        return { stage, lines: found?.logs ?? [] };
      }),
    );
    return logs.filter(({ lines }) => lines.length > 0);
  } finally {
    await closeQueues(queues);
  }
}

function describe({ webhook, batch, logs, ...inspection }: Shown): string[] {
  return [
    ...describeRequest(inspection),
    ...(webhook === null ? [] : ['', `Its end is told to ${printable(webhook)}.`]),
    ...(batch === null ? [] : ['', `It is row ${batch.row} of ${batch.id}.`]),
    ...logs.flatMap(({ stage, lines }) => ['', `${stage}:`, ...lines.map((line) => `  ${printable(line)}`)]),
  ];
}

/** One line a stage, for scripts and for a quick look. */
export const showStates: Command = async (args, io, open) => {
  const { values, positionals } = parse(args, { json: flag });
  const id = onlyId(positionals);
  const { inspector } = await open();
  const found = await inspector.inspect(id);
  if (!found) throw notFound(id);
  const states = found.stages.map(({ name, status }) => ({
    stage: name,
    status,
    job: found.jobs.find(({ stage }) => stage === name)?.state ?? 'absent',
  }));
  if (values.json) io.out(asJson({ id, status: found.status, stages: states }));
  else {
    io.out(`${id}  ${found.status}`);
    for (const line of table(
      ['STAGE', 'STATUS', 'JOB'],
      states.map(({ stage, status, job }) => [stage, status, job]),
    )) {
      io.out(line);
    }
  }
  return 0;
};

/** What the stages gave, as the owner gets it, but for the question. */
export const showResults: Command = async (args, io, open) => {
  const { positionals } = parse(args, { json: flag });
  const id = onlyId(positionals);
  const record = await (await open()).records.get(id);
  if (!record) throw notFound(id);
  const { status, image, classification, guidance, clarification, usage, error } = toResource(record);
  io.out(asJson({ id, status, image, classification, guidance, clarification, usage, error }));
  return status === 'completed' ? 0 : 1;
};

/** The request that a job works for. */
export function requestOf(data: unknown): { requestId: string; generation: number } | null {
  const parsed = jobDataSchema.safeParse(data);
  return parsed.success ? { requestId: parsed.data.requestId, generation: parsed.data.generation ?? 0 } : null;
}
