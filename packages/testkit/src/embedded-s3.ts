import { mkdir } from 'node:fs/promises';
import { buildApp } from 'fauxqs';
// Of the parts below, the package exports the types alone: see startS3.
import { FileS3Persistence } from '../node_modules/fauxqs/dist/s3/fileS3Persistence.js';
import { S3Store } from '../node_modules/fauxqs/dist/s3/s3Store.js';
import { SnsStore } from '../node_modules/fauxqs/dist/sns/snsStore.js';
import { SqsStore } from '../node_modules/fauxqs/dist/sqs/sqsStore.js';

export interface S3Options {
  /** Keeps buckets and objects as files under this directory, across restarts. Default: in memory. */
  readonly dataDir?: string;
  /** Default: a free port. */
  readonly port?: number;
}

export interface EmbeddedS3 {
  /** `http://127.0.0.1:<port>`; clients must address buckets by path (`forcePathStyle`). */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Creates a bucket unless it exists. */
  createBucket(name: string): void;
  stop(): Promise<void>;
}

/**
 * Starts an S3 emulator (fauxqs) in this process, on loopback.
 *
 * It takes any credentials and checks neither checksums nor the expiry of presigned URLs: no security test may rest on
 * it. Objects are limited to 11 MiB a request.
 *
 * @throws when the port is taken.
 */
export async function startS3({ dataDir, port = 0 }: S3Options = {}): Promise<EmbeddedS3> {
  const s3Store = new S3Store();
  // fauxqs' own start function listens on every interface of the machine. Its app, built from its parts, can be bound
  // to loopback, so that a demo does not offer its photos to the network.
  const app = buildApp({ logger: false, stores: { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store } });
  if (dataDir !== undefined) {
    await mkdir(dataDir, { recursive: true });
    const files = new FileS3Persistence(dataDir);
    files.loadS3(s3Store);
    s3Store.persistence = files;
    app.addHook('preClose', (done) => {
      files.close();
      done();
    });
  }
  const endpoint = await app.listen({ port, host: '127.0.0.1' });
  return {
    endpoint,
    region: 'us-east-1',
    accessKeyId: 'test',
    secretAccessKey: 'test-secret',
    createBucket: (name) => {
      if (!s3Store.hasBucket(name)) s3Store.createBucket(name);
    },
    stop: async () => {
      await app.close();
    },
  };
}
