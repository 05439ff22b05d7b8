// What the api is measured beside: Express, busboy, the S3 SDK, ioredis and BullMQ, with nothing around them. It checks nothing.
import { randomUUID } from 'node:crypto';
import { S3Client, PutObjectCommand } from '@aws-sdk/client-s3';
import { FlowProducer } from 'bullmq';
import busboy from 'busboy';
import express, { type Request } from 'express';
import { Redis } from 'ioredis';
import { buildFlow } from '@bunri/queue-contracts';
import { newRequestId } from '@bunri/runtime';

const { PORT, STATIC_DIR, REDIS_URL, S3_ENDPOINT, S3_BUCKET, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } =
  process.env;
const redis = new Redis(REDIS_URL ?? '', { maxRetriesPerRequest: null });
const flows = new FlowProducer({ connection: redis, prefix: '{bare}' });
// The options of the product's own client: one does not do a checksum more than the other.
const storage = new S3Client({
  region: S3_REGION ?? '',
  endpoint: S3_ENDPOINT ?? '',
  forcePathStyle: true,
  maxAttempts: 2,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
  credentials: { accessKeyId: S3_ACCESS_KEY_ID ?? '', secretAccessKey: S3_SECRET_ACCESS_KEY ?? '' },
});

const app = express();
app.get('/ready', (_request, response) => void response.json({}));
app.use(express.static(STATIC_DIR ?? ''));
app.post('/form', async (request, response) => {
  const id = randomUUID();
  await storeFile(request, `uploads/${id}`);
  response.status(202).json({ id });
});
app.post('/json', express.json(), async (request, response) => {
  const id = randomUUID();
  await redis.set(`bare:${id}`, JSON.stringify(request.body));
  response.status(202).json({ id });
});
app.post('/flow', express.json(), async (request, response) => {
  const id = newRequestId();
  await redis.set(`bare:${id}`, JSON.stringify(request.body));
  await flows.add(buildFlow({ id, deadlineAt: Date.now() + 120_000, priority: 'interactive' }));
  response.status(202).json({ id });
});

/** Puts the form's file into the bucket in one call, which is cheaper than to stream it. */
async function storeFile(request: Request, Key: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const parser = busboy({ headers: request.headers });
  parser.on('file', (_name, file) => {
    const chunks: Buffer[] = [];
    file.on('data', (chunk: Buffer) => chunks.push(chunk));
    file.once('end', () => {
      storage.send(new PutObjectCommand({ Bucket: S3_BUCKET, Key, Body: Buffer.concat(chunks) })).then(resolve, reject);
    });
  });
  parser.once('error', reject);
  request.pipe(parser);
  await promise;
}

app.listen(Number(PORT), '127.0.0.1');
