import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startS3, type EmbeddedS3 } from './embedded-s3.ts';

async function put(s3: EmbeddedS3, path: string, body: string): Promise<number> {
  const response = await fetch(s3.endpoint + path, { method: 'PUT', body });
  await response.text();
  return response.status;
}

async function get(s3: EmbeddedS3, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(s3.endpoint + path);
  return { status: response.status, body: await response.text() };
}

test('an object that was put can be got, and a bucket must have been created', async () => {
  const s3 = await startS3();
  s3.createBucket('photos');
  s3.createBucket('photos');
  expect(await put(s3, '/photos/images/a.jpg', 'bytes')).toBe(200);
  expect(await get(s3, '/photos/images/a.jpg')).toEqual({ status: 200, body: 'bytes' });
  expect(await put(s3, '/elsewhere/a.jpg', 'bytes')).toBe(404);
  await s3.stop();
});

test('with a directory, objects outlive the server', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'bunri-s3-'));
  const first = await startS3({ dataDir });
  first.createBucket('photos');
  await put(first, '/photos/images/a.jpg', 'bytes');
  await first.stop();

  const second = await startS3({ dataDir });
  second.createBucket('photos');
  expect(await get(second, '/photos/images/a.jpg')).toEqual({ status: 200, body: 'bytes' });
  await second.stop();
  await rm(dataDir, { recursive: true });
});

test('a taken port is an error', async () => {
  const s3 = await startS3();
  await expect(startS3({ port: Number(new URL(s3.endpoint).port) })).rejects.toThrow(/EADDRINUSE/);
  await s3.stop();
});

test('it is not offered to other machines', async () => {
  const s3 = await startS3();
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  // 127.0.0.2 is this machine as well, but not the address that is listened on.
  for (const host of ['127.0.0.2', ...outward]) {
    expect(await connects(host, Number(new URL(s3.endpoint).port))).toBe(false);
  }
  await s3.stop();
});

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const finish = (connected: boolean) => {
      socket.destroy();
      resolve(connected);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
    socket.once('timeout', () => finish(false));
  });
}
