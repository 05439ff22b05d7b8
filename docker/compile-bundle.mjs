import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** How long an app has, once it asks Redis for something, to come to where it waits for the answer. */
const settleMs = 1_000;
const startTimeoutMs = 60_000;

const nowhere = 'http://127.0.0.1:1';
/** Enough for every app to start. Nobody is asked anything but Redis. */
const settings = {
  NODE_ENV: 'production',
  S3_ENDPOINT: nowhere,
  S3_REGION: 'none',
  S3_BUCKET: 'none',
  S3_ACCESS_KEY_ID: 'none',
  S3_SECRET_ACCESS_KEY: 'none',
  OPENAI_BASE_URL: nowhere,
  OPENAI_API_KEY: 'none',
  DEMO: 'true',
  HOST: '127.0.0.1',
  PORT: '0',
};

/**
 * Starts an app far enough, and has written beside its bundle what V8 has compiled of it by then. It starts as in an image,
 * beside a Redis that takes everything and answers nothing.
 *
 * @param {string} path of the bundle
 */
export async function compileBundle(path) {
  const sockets = [];
  const redis = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
  redis.listen(0, '127.0.0.1');
  await once(redis, 'listening');
  const child = fork(fileURLToPath(new URL('compile.cjs', import.meta.url)), [path], {
    // What V8 has compiled is for its own flags only, but for this one: with it the same bundle gives the same bytes.
    execArgv: ['--predictable'],
    env: { ...settings, REDIS_URL: `redis://127.0.0.1:${redis.address().port}` },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), startTimeoutMs);
  const ended = once(child, 'exit');
  const asked = once(redis, 'connection').then(async ([socket]) => await once(socket, 'data'));
  await Promise.race([asked, ended]);
  await delay(settleMs);
  if (child.connected) child.send('enough');
  const [code] = await ended;
  clearTimeout(killer);
  for (const socket of sockets) socket.destroy();
  redis.close();
  if (code !== 0) throw new Error(`${path} was not compiled: it ended with ${code} before it waited for Redis.`);
}
