// What the tests of commands share: a prefix of its own, commands as functions, and requests that are worked on by hand.
import { randomUUID } from 'node:crypto';
import { failure, stageOrder, stages, type FailureCode, type UsualStage } from '@bunri/queue-contracts';
import { newRequestId, openOperator, type Operator } from '@bunri/runtime';
import type { CommandIo } from './command.ts';
import { runBunri } from './dispatch.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly string[];
}

export interface TestShell {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly operator: Operator;
  /** Runs a command as a function. `answer` is what a person at a terminal types; without one nobody is there. */
  bunri(args: string[], how?: { answer?: string; over?: Partial<CommandIo> }): Promise<Ran>;
  /** Removes what the test left, and closes. */
  close(): Promise<void>;
}

export async function openTestShell(over: Record<string, string> = {}): Promise<TestShell> {
  const env = { REDIS_URL: process.env['REDIS_URL'], REDIS_PREFIX: `{t${randomUUID()}}`, ...over };
  const operator = await openOperator(env);
  return {
    env,
    operator,
    async bunri(args, { answer, over: overIo = {} } = {}) {
      const out: string[] = [];
      const err: string[] = [];
      const asked: string[] = [];
      const ask = async (text: string) => {
        asked.push(text);
        return await Promise.resolve(answer ?? '');
      };
      const code = await runBunri(args, {
        env,
        actor: 'cli:tester',
        out: (line) => out.push(line),
        err: (line) => err.push(line),
        ask: answer === undefined ? undefined : ask,
        draw: undefined,
        signal: new AbortController().signal,
        ...overIo,
      });
      return { code, out: out.join('\n'), err: err.join('\n'), asked };
    },
    async close() {
      const keys = await operator.redis.keys(`${operator.prefix}*`);
      if (keys.length > 0) await operator.redis.unlink(...keys);
      await operator.close();
    },
  };
}

export const question = 'may I throw my diary away?';
export const engine = { provider: 'fake', model: 'fake-1' };
const usage = { input_tokens: 1, output_tokens: 1, cost_usd: 0.5 };
const condition = { cap: 'on', rinsed: 'no', contamination: 'none', label: 'on' };
const classified = {
  subcategory: '무색페트병',
  item_id: null,
  item_name: '페트병',
  confidence: 0.9,
  condition,
  engine,
};
export const outputs: Record<UsualStage, unknown> = {
  preprocess: { sha256: 'a'.repeat(64), key: 'images/a.jpg', width: 10, height: 10, sizeBytes: 100 },
  vision: { classification: { waste_category: 'recyclable', ...classified }, usage },
  rag: {
    item_id: null,
    item_name: '페트병',
    match: 'category',
    candidates: [],
    sentences: [],
    catalogue_version: 'v1',
    tokens: 0,
  },
  llm: {
    guidance: {
      answer: 'Rinse it.',
      steps: [{ text: 'Rinse.', rule_ids: ['r1'] }],
      missing: [],
      warnings: [],
      sources: [],
    },
    engine,
    usage,
    droppedSteps: 0,
  },
};

/** A request that was accepted and queued. */
export async function accepted(
  operator: Operator,
  {
    owner = 'ann',
    priority = 'interactive',
    ...more
  }: { owner?: string; priority?: 'interactive' | 'batch'; webhookUrl?: string } = {},
): Promise<string> {
  const id = newRequestId();
  const now = Date.now();
  const source = { kind: 'upload', key: `uploads/${id}`, sha256: 'b'.repeat(64), sizeBytes: 10 } as const;
  const times = { createdAt: now, deadlineAt: now + 60_000 };
  const request = { id, owner, question, locale: 'en', source, priority, ...times, ...more } as const;
  const { turn } = await operator.records.accept(request);
  await operator.flows.add({ ...request, turn });
  return id;
}

/** Plays the workers: the stages from one to another, those that have their output already left out. */
export async function work(
  operator: Operator,
  id: string,
  upTo: UsualStage = 'llm',
  over: Partial<typeof outputs> = {},
): Promise<void> {
  const generation = (await operator.records.get(id))?.generation ?? 0;
  for (const stage of stageOrder.slice(0, stageOrder.indexOf(upTo) + 1)) {
    const run = { id, stage, token: `${stage}-${generation}`, generation };
    if ((await operator.records.start(run)).outcome !== 'started') continue;
    const output = stages[stage].output.parse(over[stage] ?? outputs[stage]);
    await operator.records.finish(run, { output, durationMs: 5, cached: false });
  }
}

/** A request that failed in its last stage. */
export async function dead(
  operator: Operator,
  { owner = 'ann', code = 'model_unavailable' }: { owner?: string; code?: FailureCode } = {},
): Promise<string> {
  const id = await accepted(operator, { owner });
  await work(operator, id, 'rag');
  await operator.records.start({ id, stage: 'llm', token: 'run' });
  await operator.records.fail(id, failure(code, 'It broke.', 'llm'));
  return id;
}
