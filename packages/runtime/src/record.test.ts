import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resourceSchema, stageOrder, type StageName } from '@bunri/queue-contracts';
import { parseRecord, stageOutput, toResource } from './record.ts';

function fixture(stage: StageName) {
  const file = new URL(`../../queue-contracts/fixtures/${stage}.v1.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as { input: { request: object }; output: object };
}

function fields(done: readonly StageName[], over: Record<string, string> = {}): Record<string, string> {
  return {
    request: JSON.stringify(fixture('vision').input.request),
    status: 'running',
    seq: '4',
    ...Object.fromEntries(
      done.flatMap((stage) => [
        [`${stage}.status`, 'completed'],
        [`${stage}.startedAt`, '1767225601000'],
        [`${stage}.durationMs`, '12'],
        [`${stage}.attempts`, '1'],
        [`${stage}.cached`, '0'],
        [`${stage}.output`, JSON.stringify(fixture(stage).output)],
      ]),
    ),
    ...over,
  };
}

test('no hash is no record', () => {
  expect(parseRecord({})).toBeNull();
});

test('a running request shows what is known so far', () => {
  const record = parseRecord(fields(['preprocess', 'vision']));
  const resource = resourceSchema.parse(record && toResource(record));
  expect(resource.stages.map(({ status }) => status)).toEqual(['completed', 'completed', 'pending', 'pending']);
  expect(resource).toMatchObject({
    image: { width: 1024 },
    classification: { item_id: 'clear-pet-bottle' },
    guidance: null,
  });
  expect(Object.keys(resource.usage)).toEqual(['vision']);
});

test('a completed request shows the answer, and is cached only if no model was called', () => {
  const done = { status: 'completed', completedAt: '1767225609000' };
  const paid = parseRecord(fields(stageOrder, done));
  expect(paid && toResource(paid)).toMatchObject({ cached: false, completed_at: '2026-01-01T00:00:09.000Z' });
  const free = parseRecord(fields(stageOrder, { ...done, 'vision.cached': '1', 'llm.cached': '1' }));
  expect(free && toResource(free).cached).toBe(true);
});

test('an output that does not fit its stage is never handed on', () => {
  const record = parseRecord(fields([], { 'preprocess.output': '{"width":0}' }));
  expect(() => record && stageOutput(record, 'preprocess')).toThrow(/sha256/);
});
