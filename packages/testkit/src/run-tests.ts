// Runs jest over the workspace against one private Redis and one private S3: `run-tests.ts [jest arguments]`.
import { spawn } from 'node:child_process';
import { compileCache } from './compile-cache.ts';
import { startRedis } from './embedded-redis.ts';
import { startS3 } from './embedded-s3.ts';

// A server that is already there serves the tests too: each of them uses keys under a prefix of its own.
const givenRedisUrl = process.env['REDIS_URL'];
const redis = givenRedisUrl === undefined ? await startRedis({ binary: process.env['REDIS_SERVER_BIN'] }) : undefined;
const s3 = await startS3();

const root = new URL('../../..', import.meta.url);
const jest = spawn(
  process.execPath,
  ['--conditions=@bunri/source', '--no-warnings', 'node_modules/jest/bin/jest.js', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...compileCache,
      ...process.env,
      REDIS_URL: redis?.url ?? givenRedisUrl,
      S3_ENDPOINT: s3.endpoint,
      S3_REGION: s3.region,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
  },
);
// Ctrl-C reaches jest by itself, a signal to this process alone does not; either way the servers outlive jest.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => jest.kill(signal));

const code = await new Promise<number>((resolve) => {
  jest.once('error', (error) => {
    process.stderr.write(`jest could not be started: ${error.message}\n`);
    resolve(1);
  });
  jest.once('exit', (exitCode) => resolve(exitCode ?? 1));
});
await redis?.stop();
await s3.stop();
process.exit(code);
