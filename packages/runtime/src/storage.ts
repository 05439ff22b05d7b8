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
import { PermanentError, TransientError } from './errors.ts';
import { presignPut, type PresignedPut, type PutOrder } from './presigned.ts';

export interface StorageOptions {
  readonly bucket: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  /** Where clients reach the bucket. Default `endpoint`. */
  readonly publicEndpoint?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  /** How long the server may stay silent in a call, ms. Default 15,000. */
  readonly timeoutMs?: number;
  /** Told of every call that has ended: what it did, as `read_object`, how it ended, and how long it took. */
  readonly onCall?: (operation: string, outcome: StorageOutcome, seconds: number) => void;
}

/** `aborted`: the caller did not want it any more. */
export type StorageOutcome = 'ok' | 'absent' | 'failed' | 'aborted';

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  /** Changes with the bytes; only where one object was asked about. */
  readonly etag?: string | undefined;
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
  const settings = {
    region: options.region,
    // Attempts are counted in the stage catalogue; two here bridge one broken keep-alive connection.
    maxAttempts: 2,
    // What is put is signed with its SHA-256; another checksum of the same bytes tells nothing more.
    requestChecksumCalculation: 'WHEN_REQUIRED' as const,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets },
      httpsAgent: { maxSockets },
    },
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
  };
  const client = new S3Client(settings);
  let publicClient: S3Client | undefined;
  let answeredAt = Number.NEGATIVE_INFINITY;

  async function call<T>(what: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T | null> {
    const startedAt = performance.now();
    let outcome: StorageOutcome = 'failed';
    try {
      const result = await work();
      outcome = 'ok';
      answeredAt = performance.now();
      return result;
    } catch (error) {
      if (signal?.aborted) outcome = 'aborted';
      signal?.throwIfAborted();
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) {
        outcome = 'absent';
        return null;
      }
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 412) throw imageChanged(error);
      throw new TransientError('storage_unavailable', `the object storage failed to ${what}; try again later`, {
        cause: error,
      });
    } finally {
      const operation = what.replace(/ an? /, ' ').replaceAll(' ', '_');
      options.onCall?.(operation, outcome, (performance.now() - startedAt) / 1000);
    }
  }
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

    /** With the `sha256` of the bytes, in hex, they are not hashed again to sign them; the server refuses other bytes. */
    async put(
      key: string,
      body: Uint8Array,
      contentType: string,
      signal?: AbortSignal,
      { sha256 }: { sha256?: string | undefined } = {},
    ): Promise<void> {
      const command = new PutObjectCommand({
        Bucket,
        Key: key,
        Body: body,
        ContentType: contentType,
        ContentLength: body.byteLength,
      });
      if (sha256 !== undefined) signWith(command, sha256);
      await call('store an object', async () => await client.send(command, abortOption(signal)), signal);
    },

    /** With `etag`, only the object that has it. @throws PermanentError `image_changed` for another one. */
    async getStream(
      key: string,
      signal?: AbortSignal,
      { etag }: { etag?: string | undefined } = {},
    ): Promise<{ body: Readable; sizeBytes: number } | null> {
      const command = new GetObjectCommand({ Bucket, Key: key, ...(etag === undefined ? {} : { IfMatch: etag }) });
      return await call(
        'read an object',
        async () => {
          const answer = await client.send(command, abortOption(signal));
          return { body: answer.Body as Readable, sizeBytes: answer.ContentLength ?? 0 };
        },
        signal,
      );
    },

    /** Some bytes of an object, `end` exclusive: for archives, of which little is read at a time. */
    async getRange(key: string, start: number, end: number): Promise<Readable | null> {
      const command = new GetObjectCommand({ Bucket, Key: key, Range: `bytes=${start}-${end - 1}` });
      return await call('read an object', async () => (await client.send(command)).Body as Readable);
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
          const { ContentLength: sizeBytes = 0, LastModified: modified, ETag: etag } = answer;
          return { key, sizeBytes, lastModifiedMs: modified?.getTime() ?? 0, etag };
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

    /** A URL by which a client puts one object itself, and what it has to send along. */
    async presignPut(order: PutOrder): Promise<PresignedPut> {
      const { publicEndpoint } = options;
      publicClient ??= publicEndpoint
        ? new S3Client({ ...settings, endpoint: publicEndpoint, forcePathStyle: true })
        : client;
      return await presignPut(publicClient, Bucket, order);
    },

    /** Whether the bucket answered any call within the last few seconds: probes of many processes must not become its load. */
    async ready(): Promise<boolean> {
      if (performance.now() - answeredAt < readyForMs) return true;
      await client.send(new HeadBucketCommand({ Bucket }));
      answeredAt = performance.now();
      return true;
    },

    /** For embedded servers and tests; an installation makes its bucket itself. */
    async createBucket(): Promise<void> {
      await client.send(new CreateBucketCommand({ Bucket }));
    },

    close(): void {
      client.destroy();
      publicClient?.destroy();
    },
  };
}

/** The signer hashes a body itself unless the request has this header (AWS Signature Version 4, hashed payload). */
function signWith(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add(
    (next) => async (args) => {
      Object.assign((args.request as { headers: object }).headers, { 'x-amz-content-sha256': sha256 });
      return await next(args);
    },
    { step: 'build', name: 'knownPayloadHash' },
  );
}

/** What a stage says of an object that is not the one that was accepted. */
export function imageChanged(cause?: unknown): PermanentError {
  const message = 'The uploaded image is not the one that was accepted. Upload it again, and send a new request.';
  return new PermanentError('image_changed', message, { cause });
}
