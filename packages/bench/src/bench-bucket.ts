import { createStorage, type Storage } from '@bunri/runtime';
import { startServer, type ServerProcess } from './server-process.ts';

export const benchBucket = 'bunri-bench';

export interface BenchBucket {
  readonly server: ServerProcess;
  /** What an app is told of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly storage: Storage;
  /** Removes the uploads: the server holds them in memory. */
  removeUploads(): Promise<void>;
  stop(): Promise<void>;
}

/** A bucket on an S3 server in a process of its own. */
export async function startBucket(): Promise<BenchBucket> {
  const server = await startServer({
    name: 'the S3 server',
    file: new URL('s3-process.ts', import.meta.url),
    env: {},
    readyPath: `/${benchBucket}`,
  });
  const account = { region: 'us-east-1', accessKeyId: 'bench', secretAccessKey: 'bench-secret' };
  const storage = createStorage({ bucket: benchBucket, endpoint: server.url, ...account });
  return {
    server,
    storage,
    env: {
      S3_ENDPOINT: server.url,
      S3_BUCKET: benchBucket,
      S3_REGION: account.region,
      S3_ACCESS_KEY_ID: account.accessKeyId,
      S3_SECRET_ACCESS_KEY: account.secretAccessKey,
    },
    async removeUploads() {
      for await (const page of storage.list('uploads/')) await storage.remove(page.map(({ key }) => key));
    },
    async stop() {
      storage.close();
      await server.stop();
    },
  };
}
