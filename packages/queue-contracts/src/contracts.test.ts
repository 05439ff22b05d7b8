import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  buildFlow,
  finalStage,
  looksOf,
  siblingDelayMs,
  stageJobId,
  stageOrder,
  stagesOf,
  type FlowNode,
  type FlowOrder,
} from './pipeline.ts';
import { failure, failureCodes, failureSchema, failures } from './failures.ts';
import { jobDataSchema, stageNames, stageReads, stages, type StageName } from './stages.ts';

const folder = new URL('../fixtures/', import.meta.url);
const fixtures = readdirSync(folder).map((file) => {
  // A stage's own name may have a dot.
  const [, stage, version] = /^(.+)\.(v\d+)\.json$/.exec(file) ?? [];
  return { file, stage: stage as StageName, version, content: JSON.parse(readFileSync(new URL(file, folder), 'utf8')) };
});

describe('golden fixtures', () => {
  test.each(fixtures)('$file, once shipped, is read for ever', ({ stage, content }) => {
    expect(jobDataSchema.parse(content.data)).toEqual(content.data);
    expect(stages[stage].input.parse(content.input)).toEqual(content.input);
    expect(stages[stage].output.parse(content.output)).toEqual(content.output);
  });

  test('every stage has one', () => {
    expect(new Set(fixtures.map(({ stage }) => stage))).toEqual(new Set(stageNames));
  });

  test.each(fixtures)('$file carries references, never bytes', ({ content }) => {
    expect(JSON.stringify(content)).not.toMatch(/data:image|[A-Za-z0-9+/]{300}/);
  });
});

const request = { id: 'req_019a9c1e7b3a7c3e9d0f2a4b6c8d0e1f', deadlineAt: 5, priority: 'interactive' } as const;

function nodes(root: FlowNode): FlowNode[] {
  return [root, ...(root.children ?? []).flatMap(nodes)];
}

describe('the flow of a request', () => {
  const flow = nodes(buildFlow(request));

  test('has one job a stage, the final stage as root and each stage waiting for the one before it', () => {
    expect(flow.map(({ queueName }) => queueName)).toEqual(stageOrder.toReversed());
    expect(flow[0]?.queueName).toBe(finalStage);
  });

  test('is the same tree every time, with ids of the request and the stage', () => {
    expect(buildFlow(request)).toEqual(buildFlow(request));
    expect(flow.map(({ opts }) => opts.jobId)).toEqual(
      stageOrder.toReversed().map((stage) => stageJobId(request.id, stage)),
    );
    // BullMQ takes an integer for an index and splits ids at colons.
    for (const { opts } of flow) expect(opts.jobId).toMatch(/^[a-z]\w+-\w+$/);
  });

  test('has a priority of at least 1 on every node, interactive before batch', () => {
    const batch = nodes(buildFlow({ ...request, priority: 'batch' }));
    for (const [i, { opts }] of flow.entries()) {
      expect(opts.priority).toBeGreaterThanOrEqual(1);
      expect(opts.priority).toBeLessThan(batch[i]?.opts.priority ?? 0);
    }
  });

  test('fails the parent with every child, so that no parent waits for ever', () => {
    expect(flow.slice(1).map(({ opts }) => opts.failParentOnFailure)).toEqual([true, true, true]);
  });

  test('carries nothing but a reference', () => {
    for (const { data } of flow) expect(data).toEqual({ v: 1, requestId: request.id, deadlineAt: 5 });
  });
});

describe('the flow of a request that two look at', () => {
  const looks = looksOf(['gpt-5', 'local']);
  const names = (flow: FlowNode): unknown => ({ [flow.name]: (flow.children ?? []).map(names) });
  const tree = (more: Partial<FlowOrder> = {}) => buildFlow({ ...request, looks, ...more });

  test('has both below rag, and preprocess below the one that asks the API', () => {
    expect(names(tree())).toEqual({
      llm: [{ rag: [{ vision: [{ preprocess: [] }] }, { 'vision.local': [] }] }],
    });
    expect(looksOf(['local', 'gpt-5'])).toEqual(looks);
  });

  test('goes on where the record is', () => {
    expect(names(tree({ from: 'vision' }))).toEqual({ llm: [{ rag: [{ vision: [] }, { 'vision.local': [] }] }] });
    expect(names(tree({ from: 'vision.local', looked: 'vision' }))).toEqual({
      llm: [{ rag: [{ 'vision.local': [] }] }],
    });
    expect(names(tree({ from: 'vision', looked: 'vision.local' }))).toEqual({ llm: [{ rag: [{ vision: [] }] }] });
    expect(names(tree({ looked: 'vision.local' }))).toEqual({ llm: [{ rag: [{ vision: [{ preprocess: [] }] }] }] });
    expect(names(tree({ from: 'rag' }))).toEqual({ llm: [{ rag: [] }] });
  });

  test('lets neither fail rag, and rag wait for both; everything else fails its parent', () => {
    const options = new Map(nodes(tree()).map(({ name, opts }) => [name, opts]));
    for (const look of looks) {
      expect(options.get(look)).toMatchObject({ ignoreDependencyOnFailure: true });
      expect(options.get(look)).not.toHaveProperty('failParentOnFailure');
    }
    for (const stage of ['preprocess', 'rag'] as const) expect(options.get(stage)?.failParentOnFailure).toBe(true);
  });

  test('delays the local look only while preprocess has to be waited for', () => {
    const delayOf = (flow: FlowNode) => nodes(flow).find(({ name }) => name === 'vision.local')?.opts.delay;
    expect(delayOf(tree())).toBe(siblingDelayMs);
    expect(delayOf(tree({ from: 'vision' }))).toBeUndefined();
    expect(delayOf(buildFlow({ ...request, looks: looksOf(['local']) }))).toBeUndefined();
  });

  test('is left alone by workers that know of no second look', () => {
    for (const { data } of nodes(tree())) expect(data).toMatchObject({ v: 2, looks });
    for (const { data } of nodes(buildFlow(request)))
      expect(data).toEqual({ v: 1, requestId: request.id, deadlineAt: 5 });
  });
});

test('where the local model looks alone it stands in the place of the usual one, and fails its request as that does', () => {
  const flow = nodes(buildFlow({ ...request, looks: looksOf(['local']) }));
  expect(flow.map(({ name }) => name)).toEqual(stagesOf(['local']).toReversed());
  expect(flow.slice(1).map(({ opts }) => opts.failParentOnFailure)).toEqual([true, true, true]);
});

describe('the catalogue', () => {
  test('names queues by their stage', () => {
    for (const name of stageNames) expect(stages[name].queue).toBe(name);
  });

  test.each([[undefined], [['local']], [['gpt-5', 'local']]])(
    'lets a stage read only what earlier stages wrote: %j',
    (models) => {
      const order = stagesOf(models);
      for (const [index, name] of order.entries()) {
        for (const read of stageReads(name, looksOf(models))) {
          expect(order).toContain(read);
          expect(order.indexOf(read)).toBeLessThan(index);
        }
      }
    },
  );

  test('has the placement of two nodes: 24, 100, 8 and 30 in flight', () => {
    expect(stageOrder.map((name) => stages[name].replicas * stages[name].concurrency)).toEqual([24, 100, 8, 30]);
  });
});

test.each(failureCodes)('the failure %s has a title and a status, and fits its schema', (code) => {
  expect(failures[code].status).toBeGreaterThanOrEqual(400);
  expect(failures[code].title.length).toBeGreaterThan(5);
  expect(failureSchema.parse(failure(code, 'What to do.'))).toMatchObject({ code, stage: null });
});
