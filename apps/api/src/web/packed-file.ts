import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Request, Response } from 'express';
import { sha256 } from '@bunri/runtime';
import { namesTag } from '../entity-tag.ts';

/** Something to be sent as it is, with its form for those who take it packed. */
export interface PackedFile {
  /** As Express names types. */
  readonly type: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
  readonly etag: string;
}

const pack = promisify(gzip);

export async function packFile(type: string, text: string): Promise<PackedFile> {
  const plain = Buffer.from(text);
  return { type, plain, packed: await pack(plain, { level: 9 }), etag: `"${sha256(plain).slice(0, 32)}"` };
}

/** Sends a file, or says that the client has it. */
export function sendFile(request: Request, response: Response, { type, plain, packed, etag }: PackedFile): void {
  // Weak: it is the same in both forms, which differ byte by byte.
  response.set('etag', `W/${etag}`).vary('Accept-Encoding');
  if (namesTag(request.get('if-none-match'), etag)) {
    response.status(304).end();
    return;
  }
  const isPacked = request.acceptsEncodings('gzip') === 'gzip';
  if (isPacked) response.set('content-encoding', 'gzip');
  response.type(type).send(isPacked ? packed : plain);
}

/** Makes something once, when it is first asked for; what failed is tried again. */
export function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return async () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return await made;
  };
}
