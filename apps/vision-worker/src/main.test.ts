import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import {
  cleanupModelsMessage,
  closeRedis,
  connectConsumer,
  createKeys,
  createLogger,
  createStorage,
  isLocalServed,
} from '@bunri/runtime';
import { freePort, startProcess } from '@bunri/testkit';

const log = createLogger({ app: 'test', level: 'error', silent: true });
const main = fileURLToPath(new URL('main.ts', import.meta.url));

async function environment(): Promise<Record<string, string | undefined>> {
  const { REDIS_URL, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = process.env;
  const S3_BUCKET = `vision-${randomUUID()}`;
  const storage = createStorage({
    bucket: S3_BUCKET,
    region: S3_REGION ?? '',
    endpoint: S3_ENDPOINT,
    accessKeyId: S3_ACCESS_KEY_ID,
    secretAccessKey: S3_SECRET_ACCESS_KEY,
  });
  await storage.createBucket();
  storage.close();
  return {
    REDIS_URL,
    REDIS_PREFIX: `{t${randomUUID()}}`,
    OPENAI_API_KEY: 'sk-test',
    S3_BUCKET,
    S3_ENDPOINT,
    S3_REGION,
    S3_ACCESS_KEY_ID,
    S3_SECRET_ACCESS_KEY,
  };
}

test('the worker becomes ready once Redis, the bucket and its queue are, and stops when it is told to', async () => {
  const port = await freePort();
  const readyUrl = `http://127.0.0.1:${port}/readyz`;
  const env = { ...(await environment()), PORT: String(port) };
  const worker = await startProcess({ name: 'vision-worker', args: [main], env, readyUrl });
  try {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_stage_slots\{[^}]*stage="vision"[^}]*\} 20/);
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await worker.stop('SIGKILL');
  }
});

test('a model without a price is told at the start, before any call is paid', async () => {
  const env = { ...(await environment()), PORT: '0', VISION_MODEL: 'gpt-unheard-of' };
  const worker = await startProcess({ name: 'vision-worker', args: [main], env });
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  expect(worker.output()).toContain('gpt-unheard-of');
});

test('the same app serves the queue of the local model, under its own name and with slots for a batch', async () => {
  const port = await freePort();
  const readyUrl = `http://127.0.0.1:${port}/readyz`;
  const { OPENAI_API_KEY: _key, ...keyless } = await environment();
  const env = {
    ...keyless,
    PATH: process.env['PATH'],
    PORT: String(port),
    VISION_QUEUE: 'vision.local',
    VISION_MODEL: 'local',
  };
  const worker = await startProcess({ name: 'vision-worker', args: [main], env, readyUrl });
  try {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_stage_slots\{[^}]*stage="vision.local"[^}]*\} 4/);
    expect(metrics).not.toMatch(/bunri_stage_slots\{[^}]*stage="vision"/);
    const { REDIS_URL: url = '', REDIS_PREFIX: prefix = '' } = keyless;
    const redis = connectConsumer({ url, name: 'test', log });
    expect(await isLocalServed(redis, prefix)).toBe(true);
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await isLocalServed(redis, prefix)).toBe(false);
    await closeRedis(redis);
  } finally {
    await worker.stop('SIGKILL');
  }
});

test('with the local model the worker starts without a key of any model API, holds nothing yet, and stops cleanly', async () => {
  const port = await freePort();
  const readyUrl = `http://127.0.0.1:${port}/readyz`;
  const { OPENAI_API_KEY: _key, ...keyless } = await environment();
  const { REDIS_URL = '', REDIS_PREFIX = '' } = keyless;
  const dir = await mkdtemp(join(tmpdir(), 'bunri-gpu-'));
  await writeFile(join(dir, 'nvidia-smi'), '#!/bin/sh\necho "1024, 16384"\n', { mode: 0o755 });
  const env = { ...keyless, PATH: `${dir}:${process.env['PATH']}`, PORT: String(port), VISION_MODEL: 'local' };
  const worker = await startProcess({ name: 'vision-worker', args: [main], env, readyUrl });
  try {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toMatch(/bunri_local_models_loaded\{[^}]*model="materials"[^}]*\} 0/);
    // Where a GPU answers, its memory is shown.
    expect(metrics).toMatch(/bunri_gpu_memory_bytes\{[^}]*kind="used"[^}]*\} 1073741824/);
    const control = connectConsumer({ url: REDIS_URL, name: 'test', log });
    const { control: channel } = createKeys(REDIS_PREFIX);
    // The hourly word of the scheduler reaches it.
    while ((await control.publish(channel, cleanupModelsMessage)) < 2);
    while (!worker.output().includes('idle models were unloaded'))
      await new Promise((resolve) => setImmediate(resolve));
    await closeRedis(control);
    expect(await worker.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await worker.stop('SIGKILL');
    await rm(dir, { recursive: true });
  }
});
