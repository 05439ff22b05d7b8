import { readJson, type Ask, type Exchange } from './exchange.ts';

const uploads = '/v1/uploads';
/** A line that is slower than this, bytes a ms, is no line for photos: 128 kbit/s. */
const slowestBytesPerMs = 16;

/** Where a photo is to be put, and what is to be sent along. */
interface Target {
  readonly upload_id: string;
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Asks where to put a photo, and puts it there. @returns its id */
export async function uploadPhoto(exchange: Exchange, photo: Blob, ask: Ask): Promise<string> {
  const type = photo.type === '' ? {} : { content_type: photo.type };
  const body = JSON.stringify({ size_bytes: photo.size, ...type });
  const headers = { 'content-type': 'application/json' };
  const asked: Ask = { ...ask, method: 'POST', body, headers };
  const target = await exchange.send(uploads, asked, async (response) => await readJson<Target>(response));
  // The same photo put there twice is there once.
  await exchange.send(
    target.url,
    {
      ...ask,
      method: target.method,
      body: photo,
      headers: target.headers,
      extraMs: Math.ceil(photo.size / slowestBytesPerMs),
    },
    async (response) => await response.text(),
  );
  return target.upload_id;
}
