import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { freePort, startProcess } from '@bunri/testkit';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const env = {
  REDIS_URL: process.env['REDIS_URL'],
  REDIS_PREFIX: `{t${randomUUID()}}`,
  OPENAI_API_KEY: 'sk-test',
};

test('the worker becomes ready once Redis and its queue are, and stops when it is told to', async () => {
  const port = await freePort();
  const readyUrl = `http://127.0.0.1:${port}/readyz`;
  const worker = await startProcess({
    name: 'llm-worker',
    args: [main],
    env: { ...env, PORT: String(port) },
    readyUrl,
  });
  try {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_stage_slots\{[^}]*stage="llm"[^}]*\} 10/);
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await worker.stop('SIGKILL');
  }
});

test('a model without a price is told at the start, before any call is paid', async () => {
  const given = { ...env, PORT: '0', LLM_MODEL: 'gpt-unheard-of' };
  const worker = await startProcess({ name: 'llm-worker', args: [main], env: given });
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  expect(worker.output()).toContain('gpt-unheard-of');
});
