import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { buildFlow, finalStage, stageJobId, stageOrder, type FlowNode } from './pipeline.ts';
import { failure, failureCodes, failureSchema, failures } from './failures.ts';
import { jobDataSchema, stageNames, stageReads, stages, type StageName } from './stages.ts';

const folder = new URL('../fixtures/', import.meta.url);
const fixtures = readdirSync(folder).map((file) => {
  const [stage, version] = file.split('.');
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

describe('the catalogue', () => {
  test('names queues by their stage', () => {
    for (const name of stageNames) expect(stages[name].queue).toBe(name);
  });

  test('lets a stage read only what earlier stages wrote', () => {
    for (const [index, name] of stageOrder.entries()) {
      for (const read of stageReads(name)) expect(stageOrder.indexOf(read)).toBeLessThan(index);
    }
  });

  test('has the placement of two nodes: 24, 100, 8 and 30 in flight', () => {
    expect(stageOrder.map((name) => stages[name].replicas * stages[name].concurrency)).toEqual([24, 100, 8, 30]);
  });
});

test.each(failureCodes)('the failure %s has a title and a status, and fits its schema', (code) => {
  expect(failures[code].status).toBeGreaterThanOrEqual(400);
  expect(failures[code].title.length).toBeGreaterThan(5);
  expect(failureSchema.parse(failure(code, 'What to do.'))).toMatchObject({ code, stage: null });
});
