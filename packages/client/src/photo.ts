import type { Locale } from './answers.ts';

/** A photo itself, where one is on the web, or one that was uploaded before. */
export type Photo = Blob | Uint8Array | { readonly imageUrl: string } | { readonly uploadId: string };

/** What is asked about a photo. What is left out has the API's default. */
export interface Question {
  /** Default: how to discharge the thing. */
  readonly question?: string | undefined;
  readonly locale?: Locale | undefined;
  readonly priority?: 'interactive' | 'batch' | undefined;
  /** Seconds until the answer is of no use any more. */
  readonly deadlineS?: number | undefined;
  /** The municipality whose rules are asked for. */
  readonly region?: string | undefined;
  /** Who is to look at the photo, instead of the usual model. */
  readonly models?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Who is told of the end. */
  readonly webhookUrl?: string | undefined;
  /** Name of the photo's file; it tells nobody anything. */
  readonly fileName?: string | undefined;
}

/**
 * A question as it is sent: a form for a photo itself, else JSON. What decides on refusal stands in the query, so that it is
 * known before the photo has been sent.
 */
export function writeQuestion(
  photo: Photo,
  asked: Question,
): { query: string; body: FormData | string; type?: string } {
  const { question, locale, priority, deadlineS, region, models, metadata, webhookUrl, fileName = 'photo' } = asked;
  const query = toQuery({ priority, deadline: deadlineS });
  const texts = { question, locale, region, webhook_url: webhookUrl };
  const source = referenceOf(photo);
  if (source)
    return { query, body: JSON.stringify({ ...source, ...texts, models, metadata }), type: 'application/json' };
  const body = new FormData();
  for (const [name, value] of Object.entries(texts)) if (value !== undefined) body.set(name, value);
  if (models) body.set('models', models.join(','));
  if (metadata) body.set('metadata', JSON.stringify(metadata));
  // The photo comes last: all that the API judges a request by has come before it then.
  body.set('image', toBlob(photo as Blob | Uint8Array), fileName);
  return { query, body };
}

function referenceOf(photo: Photo): { image_url: string } | { upload_id: string } | null {
  if ('imageUrl' in photo) return { image_url: photo.imageUrl };
  if ('uploadId' in photo) return { upload_id: photo.uploadId };
  return null;
}

export function toBlob(photo: Blob | Uint8Array): Blob {
  // Copied where it may stand in shared memory, which no Blob takes.
  return ArrayBuffer.isView(photo) ? new Blob([Uint8Array.from(photo)]) : photo;
}

/** With its question mark; empty where nothing is given. */
export function toQuery(given: Readonly<Record<string, string | number | undefined>>): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) if (value !== undefined) said.set(name, String(value));
  return said.size === 0 ? '' : `?${said.toString()}`;
}

/** 128 random bits. Made by hand, since `randomUUID` is missing where a page came over plain http. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
