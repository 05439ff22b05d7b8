import { afterAll, expect, test } from '@jest/globals';
import { createClient } from '@bunri/client';
import { resourceSchema } from '@bunri/queue-contracts';
import { drawSamplePhoto } from '@bunri/testkit';
import { startSystem, type BunriSystem } from './system.ts';

let system: BunriSystem | undefined;
afterAll(async () => {
  await system?.stop();
});

test('a remote model without a key is told by the name of the setting, and no process stays behind', async () => {
  const { PATH, REDIS_SERVER_BIN } = process.env;
  const env = { PATH, REDIS_SERVER_BIN, VISION_MODEL: 'gpt-5' };
  await expect(startSystem({ env, withoutKey: 'built-in' })).rejects.toThrow(/OPENAI_API_KEY: is required/);
  expect(process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap')).toEqual([]);
});

test('without any key a photo is really looked at, and the guidance says that no language model was asked', async () => {
  const { PATH, REDIS_SERVER_BIN } = process.env;
  // Set to nothing, as in a copy of .env.example whose lines are half filled in.
  const empty = { OPENAI_API_KEY: '', VISION_MODEL: '', LLM_MODEL: '' };
  system = await startSystem({ env: { PATH, REDIS_SERVER_BIN, ...empty }, withoutKey: 'built-in' });
  expect([system.simulator, system.modelApiUrl]).toEqual([undefined, undefined]);
  const client = createClient({ baseUrl: system.apiUrl });
  const asked = await client.submit(await drawSamplePhoto(), {
    question: 'How do I throw this away?',
    locale: 'en',
  });
  const resource = resourceSchema.parse(await client.wait(asked.resource.id));
  expect(resource).toMatchObject({ status: 'completed', error: null });
  expect(resource.classification?.engine.provider).toBe('local');
  expect(resource.classification?.engine.model).toMatch(/^materials@/);
  expect(resource.guidance?.answer).toContain('No language model was asked');
  // Both are the first choice here: nothing stood in for anything, and nothing was paid.
  expect(resource.stages.map(({ degraded }) => degraded)).toEqual([null, null, null, null]);
  expect(resource.stages.find(({ name }) => name === 'llm')?.engine?.provider).toBe('rules');
  expect(resource.usage.vision?.cost_usd).toBe(0);
});
