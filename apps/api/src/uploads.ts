import type { Redis } from 'ioredis';
import * as z from 'zod';
import { sha256Schema, type ImageSource } from '@bunri/queue-contracts';
import { newRequestId, objectKeys, type ImageReferences, type Keys, type Storage } from '@bunri/runtime';
import { imageTooLarge } from './image-bytes.ts';
import { maxImageBytes } from './photo.ts';
import { Problem } from './problem.ts';
import { uploadIdSchema } from './submission.ts';

const urlGoodForS = 3600;
/** The id is good for an hour longer than its URL, so that what came in last can still be submitted. */
const idGoodForMs = 2 * 3600 * 1000;
/** Longer than any request that names it is kept: what is forgotten earlier stays until its own retention. */
const referenceMs = 9 * 24 * 3600 * 1000;

export const uploadBodySchema = z.strictObject({
  size_bytes: z.int().positive().meta({ description: 'Of the photo; exactly so many bytes are taken.' }),
  content_type: z
    .string()
    .regex(/^[\w.+-]{1,64}\/[\w.+-]{1,64}$/, 'must be a media type')
    .default('application/octet-stream')
    .meta({ description: 'Sent along with the photo. What it really is is found out by decoding.' }),
  sha256: sha256Schema.optional().meta({
    description:
      'Of the photo, in hex: no other bytes are taken, and an answer that is known already is given at once.',
  }),
});

export const uploadSchema = z
  .object({
    upload_id: uploadIdSchema,
    method: z.literal('PUT'),
    url: z.url().meta({ description: 'Where to put the photo. Whoever has it may do so: keep it to yourself.' }),
    headers: z
      .record(z.string(), z.string())
      .meta({ description: 'Send exactly these; they are part of what the URL is signed for.' }),
    expires_at: z.iso.datetime().meta({
      description: 'Until when the URL is good. The id is good for an hour longer, for as many requests as you like.',
    }),
    max_bytes: z.int(),
  })
  .meta({ id: 'Upload' });

const knownSchema = z.object({ owner: z.string(), sizeBytes: z.int(), sha256: sha256Schema.optional() });

export type Uploads = ReturnType<typeof createUploads>;

/** Photos that clients put into the bucket themselves, by a URL that is signed for it, and submit by their id. */
export function createUploads(deps: {
  redis: Redis;
  keys: Pick<Keys, 'upload'>;
  storage: Pick<Storage, 'head' | 'presignPut'>;
  references: Pick<ImageReferences, 'refer'>;
  now: () => number;
}) {
  const { redis, keys, storage, references, now } = deps;

  async function known(owner: string, id: string): Promise<z.infer<typeof knownSchema>> {
    const text = await redis.get(keys.upload(id));
    const found = text === null ? null : knownSchema.parse(JSON.parse(text));
    if (found?.owner === owner) return found;
    const detail = 'There is no such upload, or it is too old, or was deleted with its request. Ask for a new one.';
    throw new Problem('upload_unknown', detail);
  }

  return {
    /** @throws Problem `image_too_large` */
    async create(
      owner: string,
      { size_bytes: sizeBytes, content_type: contentType, sha256 }: z.infer<typeof uploadBodySchema>,
    ): Promise<z.infer<typeof uploadSchema>> {
      if (sizeBytes > maxImageBytes) throw imageTooLarge(maxImageBytes);
      const id = `upload_${newRequestId().slice('req_'.length)}`;
      const expiresAt = now() + urlGoodForS * 1000;
      const put = await storage.presignPut({
        key: objectKeys.upload(id),
        sizeBytes,
        contentType,
        sha256,
        expiresS: urlGoodForS,
      });
      await redis.set(keys.upload(id), JSON.stringify({ owner, sizeBytes, sha256 }), 'PX', idGoodForMs);
      const { url, headers } = put;
      const expires = new Date(expiresAt).toISOString();
      return { upload_id: id, method: 'PUT', url, headers, expires_at: expires, max_bytes: maxImageBytes };
    },

    /**
     * The object as it is now: another one in its place will not be read. Noted as referred to before it is looked for, so
     * that a deletion that runs beside this either sees the reference or is seen.
     *
     * @throws Problem `upload_unknown`, another owner's too; `upload_missing`, `upload_mismatch`; TransientError `storage_unavailable`
     */
    async take(owner: string, id: string, requestId: string): Promise<ImageSource> {
      await known(owner, id);
      const [, upload] = await Promise.all([
        references.refer(requestId, referenceMs, [uploadName(id)]),
        known(owner, id),
      ]);
      const key = objectKeys.upload(id);
      const object = await storage.head(key);
      if (!object) {
        const detail = 'Nothing has been uploaded under this id. PUT the photo first, then send the request again.';
        throw new Problem('upload_missing', detail);
      }
      const { sizeBytes, etag } = object;
      if (sizeBytes !== upload.sizeBytes || etag === undefined) {
        const detail = `The uploaded object has ${sizeBytes} bytes, and ${upload.sizeBytes} were announced. Upload the photo again.`;
        throw new Problem('upload_mismatch', detail);
      }
      const { sha256 } = upload;
      return sha256 === undefined
        ? { kind: 'object', key, sizeBytes, etag }
        : { kind: 'upload', key, sha256, sizeBytes, etag };
    },
  };
}

/** The name under which references to an upload are kept: the digits of its id. */
export function uploadName(id: string): string {
  return id.slice('upload_'.length);
}

/** The id of the upload that a request was made of; null where its photo came another way. */
export function uploadIdOf(source: ImageSource): string | null {
  if (source.kind === 'url' || source.etag === undefined) return null;
  const [, id] = /^uploads\/(upload_[0-9a-f]{32})$/.exec(source.key) ?? [];
  return id ?? null;
}
