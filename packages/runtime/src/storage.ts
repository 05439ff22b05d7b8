import type { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { TransientError } from './errors.ts';

export interface StorageOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  /** How long the server may stay silent in a call, ms. Default 15,000. */
  readonly timeoutMs?: number;
}

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
}

const readyForMs = 5_000;
/**
 * More than a process ever needs at once: the SDK's own 50 would make calls wait for a connection, and that time counts as
 * silence of the server.
 */
const maxSockets = 256;

export type Storage = ReturnType<typeof createStorage>;

/** Keys of objects. Uploads are named by request, images by content. */
export const objectKeys = {
  upload: (requestId: string) => `uploads/${requestId}`,
  image: (sha256: string) => `images/${sha256}.jpg`,
  /** `day` as `YYYY-MM-DD`; without a request, what the keys of that day begin with. */
  feedback: (day: string, requestId?: string) =>
    `feedback/${day}/${requestId === undefined ? '' : `${requestId}.json`}`,
};

/**
 * The bucket of uploads and images. An absent object is `null`; every other trouble is a `TransientError` with code
 * `storage_unavailable`, and an abort rejects with the signal's reason.
 */
export function createStorage(options: StorageOptions) {
  const { bucket: Bucket, endpoint, accessKeyId, secretAccessKey, timeoutMs = 15_000 } = options;
  const client = new S3Client({
    region: options.region,
    // Attempts are counted in the stage catalogue; two here bridge one broken keep-alive connection.
    maxAttempts: 2,
    // What is put is signed with its SHA-256; another checksum of the same bytes tells nothing more.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets },
      httpsAgent: { maxSockets },
    },
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
  });

  async function call<T>(what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return null;
      throw new TransientError('storage_unavailable', `the object storage failed to ${what}; try again later`, {
        cause: error,
      });
    }
  }
  let readyAt = Number.NEGATIVE_INFINITY;
  const abortOption = (signal?: AbortSignal) => (signal ? { abortSignal: signal } : {});

  return {
    /** Streams an object of unknown length; on failure nothing is left behind. */
    async putStream(key: string, body: Readable, contentType: string): Promise<void> {
      const upload = new Upload({
        client,
        params: { Bucket, Key: key, Body: body, ContentType: contentType },
        queueSize: 1,
      });
      await call('store an upload', async () => await upload.done());
    },

    async put(key: string, body: Uint8Array, contentType: string, signal?: AbortSignal): Promise<void> {
      const command = new PutObjectCommand({
        Bucket,
        Key: key,
        Body: body,
        ContentType: contentType,
        ContentLength: body.byteLength,
      });
      await call('store an object', async () => await client.send(command, abortOption(signal)), signal);
    },

    async getStream(key: string, signal?: AbortSignal): Promise<{ body: Readable; sizeBytes: number } | null> {
      return await call(
        'read an object',
        async () => {
          const answer = await client.send(new GetObjectCommand({ Bucket, Key: key }), abortOption(signal));
          return { body: answer.Body as Readable, sizeBytes: answer.ContentLength ?? 0 };
        },
        signal,
      );
    },

    /** The whole object; for images that preprocess has made small. */
    async getBytes(key: string, signal?: AbortSignal): Promise<Uint8Array | null> {
      return await call(
        'read an object',
        async () => {
          const answer = await client.send(new GetObjectCommand({ Bucket, Key: key }), abortOption(signal));
          return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
        },
        signal,
      );
    },

    async head(key: string, signal?: AbortSignal): Promise<StoredObject | null> {
      return await call(
        'look up an object',
        async () => {
          const answer = await client.send(new HeadObjectCommand({ Bucket, Key: key }), abortOption(signal));
          return { key, sizeBytes: answer.ContentLength ?? 0, lastModifiedMs: answer.LastModified?.getTime() ?? 0 };
        },
        signal,
      );
    },

    /** Pages of objects below a prefix, in the order of their keys; with `after`, those whose keys come after it. */
    async *list(
      prefix: string,
      pageSize = 1000,
      { after, signal }: { after?: string | undefined; signal?: AbortSignal } = {},
    ): AsyncGenerator<StoredObject[]> {
      let token: string | undefined;
      do {
        const command = new ListObjectsV2Command({
          Bucket,
          Prefix: prefix,
          MaxKeys: pageSize,
          ...(after === undefined ? {} : { StartAfter: after }),
          ...(token ? { ContinuationToken: token } : {}),
        });
        const page = await call('list objects', async () => await client.send(command, abortOption(signal)), signal);
        yield (page?.Contents ?? []).map((object) => ({
          key: object.Key ?? '',
          sizeBytes: object.Size ?? 0,
          lastModifiedMs: object.LastModified?.getTime() ?? 0,
        }));
        token = page?.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token);
    },

    /** Deletes up to 1,000 objects in one call. Absent ones count as deleted. */
    async remove(keys: readonly string[]): Promise<void> {
      if (keys.length === 0) return;
      const Objects = keys.map((Key) => ({ Key }));
      const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
      const answer = await call('delete objects', async () => await client.send(command));
      const failed = answer?.Errors ?? [];
      if (failed.length > 0) {
        throw new TransientError(
          'storage_unavailable',
          `the object storage kept ${failed.length} of ${keys.length} objects`,
        );
      }
    },

    /** Whether the bucket answered within the last few seconds: probes of many processes must not become its load. */
    async ready(): Promise<boolean> {
      if (performance.now() - readyAt < readyForMs) return true;
      await client.send(new HeadBucketCommand({ Bucket }));
      readyAt = performance.now();
      return true;
    },

    /** For embedded servers and tests; an installation makes its bucket itself. */
    async createBucket(): Promise<void> {
      await client.send(new CreateBucketCommand({ Bucket }));
    },

    close(): void {
      client.destroy();
    },
  };
}
