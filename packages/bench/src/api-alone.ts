import { createHash } from 'node:crypto';
import { startRedis, type EmbeddedRedis } from '@bunri/testkit';
import { startBucket, type BenchBucket } from './bench-bucket.ts';
import { createHttpLoad, type HttpLoad } from './http-load.ts';
import { readPods } from './pods.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { stopAll } from './stops.ts';
import { makeTemporaryFolder } from './temporary-folder.ts';

const secret = 'bench-secret';
/** Sent with every request: the api looks keys up, as in production. */
export const apiKeyHeader = { authorization: `Bearer bench.${secret}` };
/** For an environment: the key, and a rate limit so high that no request waits for its count, which goes behind it. */
export const apiAccess = {
  API_KEYS: JSON.stringify([
    {
      id: 'bench',
      sha256: createHash('sha256').update(secret).digest('hex'),
      owner: 'bench',
      scopes: ['submit', 'read'],
    },
  ]),
  RATE_LIMIT_PER_MINUTE: '1000000000',
};

/** What the chart and the image set for the api, the limits of Node's heap among it: the other side gets the same. */
export async function apiPod(): Promise<Readonly<Record<string, string>>> {
  const pod = (await readPods()).get('api');
  if (!pod) throw new Error('the chart has no api');
  return pod.env;
}

export interface Pitch {
  readonly redis: EmbeddedRedis;
  readonly bucket: BenchBucket;
  /** Holds what the bare server serves as static files. */
  readonly dir: string;
  readonly bare: ServerProcess & { readonly load: HttpLoad };
  /** Starts something that is stopped with all the rest. */
  open(start: () => Promise<ServerProcess>): Promise<ServerProcess & { readonly load: HttpLoad }>;
}

/** Redis, an S3 server and the bare server, each a process, for as long as `use` takes. */
export async function withBareServer<Result>(
  redisBinary: string | undefined,
  use: (pitch: Pitch) => Promise<Result>,
): Promise<Result> {
  const stops: (() => unknown)[] = [];
  const open: Pitch['open'] = async (start) => {
    const server = await start();
    const load = createHttpLoad(server.url);
    stops.push(async () => {
      load.close();
      await server.stop();
    });
    return { ...server, load };
  };
  try {
    const redis = await startRedis({ binary: redisBinary });
    stops.push(async () => await redis.stop());
    const bucket = await startBucket();
    stops.push(async () => await bucket.stop());
    const { path: dir, remove } = makeTemporaryFolder();
    stops.push(remove);
    const bare = await open(
      async () =>
        await startServer({
          name: 'the bare server',
          file: new URL('bare-server.ts', import.meta.url),
          env: { ...(await apiPod()), ...bucket.env, REDIS_URL: redis.url, STATIC_DIR: dir },
          readyPath: '/ready',
        }),
    );
    return await use({ redis, bucket, dir, bare, open });
  } finally {
    await stopAll(stops);
  }
}

/** The api, from its sources as the bare server, without any worker beside it. */
export async function startApiAlone({ redis, bucket }: Pitch): Promise<ServerProcess> {
  return await startServer({
    name: 'the api',
    file: new URL('../../../apps/api/src/main.ts', import.meta.url),
    env: { ...(await apiPod()), ...bucket.env, ...apiAccess, REDIS_URL: redis.url, HOST: '127.0.0.1' },
    readyPath: '/readyz',
  });
}
