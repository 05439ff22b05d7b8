import { expect, test } from '@jest/globals';
import { localModel, stageOrder, type LookStage, type StageName } from '@bunri/queue-contracts';
import { usualService, type StageLoad } from '@bunri/runtime';
import { createForecast } from './forecast.ts';

/** A hundred jobs wait for vision, ten for the local model, and one for each other stage. */
const waiting: Partial<Record<StageName, number>> = { vision: 100, 'vision.local': 10 };
const loadsBy = (look: LookStage) => stageOrder.map((usual) => loadOf(usual === 'vision' ? look : usual));
const loadOf = (stage: StageName): StageLoad => ({
  stage,
  waiting: waiting[stage] ?? 1,
  active: 0,
  delayed: 0,
  slots: 1,
  workers: 1,
  stopped: false,
  pausedMs: 0,
  service: usualService(stage),
});
const read = async (look: LookStage = 'vision') => await Promise.resolve(loadsBy(look));
const forecast = createForecast({
  records: { nextTurn: async () => await Promise.resolve(0) },
  load: {
    read,
    readBefore: async (_priority, _turn, look) => await read(look),
    readCounted: async () => await read(),
  },
});

test('a request that begins at a later stage does not stand in the lines before it', async () => {
  const whole = [
    await forecast.ofLast(),
    await forecast.ofNext('ann', 'batch'),
    await forecast.ofTurn('batch', 0),
    await forecast.ofCounted('batch', []),
  ];
  expect(whole.map(({ position }) => position)).toEqual([103, 103, 103, 103]);
  const fromRag = [
    await forecast.ofLast({ from: 'rag' }),
    await forecast.ofNext('ann', 'batch', { from: 'rag' }),
    await forecast.ofTurn('batch', 0, { from: 'rag' }),
    await forecast.ofCounted('batch', [], 'rag'),
  ];
  expect(fromRag.map(({ position }) => position)).toEqual([2, 2, 2, 2]);
  expect(fromRag[0]?.completion?.p95Ms).toBeLessThan(whole[0]?.completion?.waitMs ?? 0);
  // Itself waits in the first of its lines.
  expect(await forecast.ofQueued('batch', 0, { from: 'rag' })).toMatchObject({ position: 1 });
});

test('a request for the local model stands in its line, and one for two models in the later of both', async () => {
  const [usual, local, both] = await Promise.all(
    [undefined, [localModel], ['gpt-5', localModel]].map(
      async (models) => await forecast.ofQueued('batch', 0, { models }),
    ),
  );
  expect([usual?.position, local?.position, both?.position]).toEqual([102, 12, 102]);
  expect(local?.completion?.p95Ms).toBeLessThan(usual?.completion?.p95Ms ?? 0);
  expect(both?.completion).toEqual(usual?.completion);
  for (const from of ['vision', 'vision.local'] as const) {
    expect(await forecast.ofTurn('batch', 0, { from, models: [localModel] })).toMatchObject({ position: 12 });
  }
});

test('where nobody serves the local model, nobody can tell when a request that asks it is done', async () => {
  const unserved = createForecast({
    records: { nextTurn: async () => await Promise.resolve(0) },
    load: {
      read,
      readBefore: async (_priority, _turn, look) =>
        (await read(look)).map((of) => (of.stage === 'vision.local' ? { ...of, slots: 0 } : of)),
      readCounted: async () => await read(),
    },
  });
  const of = async (models?: string[]) => (await unserved.ofTurn('interactive', 0, { models })).completion;
  expect([await of([localModel]), await of(['gpt-5', localModel])]).toEqual([null, null]);
  expect(await of()).not.toBeNull();
});
