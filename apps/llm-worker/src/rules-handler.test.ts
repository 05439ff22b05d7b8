import { expect, test } from '@jest/globals';
import { nothingUsed } from '@bunri/queue-contracts';
import { createLogger, type HandlerContext } from '@bunri/runtime';
import { input } from './handler-fixture.ts';
import { makeRulesHandler } from './rules-handler.ts';
import { words } from './rules-words.ts';

const context: HandlerContext = {
  log: createLogger({ app: 'test', level: 'error', silent: true }),
  signal: new AbortController().signal,
  jobId: 'job',
  lastAttempt: false,
  onAnswer: () => undefined,
};
const replayed = (llmModel?: string) => ({ of: input.request.id, ...(llmModel !== undefined && { llmModel }) });

test.each(['ko', 'en'] as const)(
  'in %s the rules as the first choice cost nothing, are not degraded and say so',
  async (locale) => {
    const request = { ...input.request, locale };
    const { output, cached } = await makeRulesHandler()({ ...input, request }, context);
    expect(cached).toBe(false);
    expect(output).toMatchObject({ engine: { provider: 'rules' }, usage: nothingUsed, droppedSteps: 0 });
    expect(output.degraded).toBeUndefined();
    expect(output.guidance.steps.map(({ rule_ids }) => rule_ids)).toEqual([['beverage-can/rinse']]);
    // Nothing was tried that failed.
    expect(output.guidance.answer).not.toContain(words[locale].withoutModel);
    expect(output.guidance.answer).toContain(locale === 'ko' ? '언어 모델에 묻지 않고' : 'No language model was asked');
  },
);

test('a replay that names a model is refused, and one that names none or the rules is answered', async () => {
  const handle = makeRulesHandler();
  const of = (llmModel?: string) => ({ ...input, request: { ...input.request, replay: replayed(llmModel) } });
  await expect(handle(of('gpt-4o'), context)).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'model_request_rejected',
    message: expect.stringContaining('LLM_MODEL'),
  });
  for (const llmModel of [undefined, 'rules'])
    expect((await handle(of(llmModel), context)).output.engine.provider).toBe('rules');
});
