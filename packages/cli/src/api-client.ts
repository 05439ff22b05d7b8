import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { resourceSchema, type Locale, type Resource } from '@bunri/queue-contracts';

/** An answer of the api that is not the one hoped for, in its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Progress {
  readonly type: string;
  readonly data: Record<string, unknown>;
}

/** Sends a photo and a question. `finished` is true where the answer was there at once. */
export async function submitPhoto(
  apiUrl: string,
  photo: { bytes: Uint8Array; name: string },
  fields: { question: string; locale: Locale; idempotencyKey?: string },
  headers: Record<string, string> = {},
): Promise<{ id: string; finished: boolean; resource: Resource }> {
  const form = new FormData();
  form.set('question', fields.question);
  form.set('locale', fields.locale);
  form.set('image', new Blob([Uint8Array.from(photo.bytes)]), photo.name);
  const response = await fetch(`${apiUrl}/v1/classifications`, {
    method: 'POST',
    body: form,
    headers: { ...headers, ...(fields.idempotencyKey ? { 'idempotency-key': fields.idempotencyKey } : {}) },
  });
  const resource = resourceSchema.parse(await bodyOf(response));
  return { id: resource.id, finished: response.status === 200, resource };
}

export async function getResource(apiUrl: string, id: string): Promise<Resource> {
  return resourceSchema.parse(await bodyOf(await fetch(`${apiUrl}/v1/classifications/${id}`)));
}

/** How long a server that is being replaced may be away, and how often it is looked for. */
const patience = { tries: 150, pauseMs: 200 };

/**
 * Follows a request to its end. Where the connection breaks, it resumes after the last event, so that every event is told
 * once; a server that stays away for 30 s is an error.
 */
export async function followRequest(
  apiUrl: string,
  id: string,
  onProgress: (progress: Progress) => void,
): Promise<void> {
  let lastEventId = '';
  let last = '';
  let failures = 0;
  const onEvent = ({ id: eventId, event: type = 'message', data }: EventSourceMessage) => {
    if (eventId) lastEventId = eventId;
    failures = 0;
    onProgress({ type, data: JSON.parse(data) as Record<string, unknown> });
    last = type;
  };
  while (!['completed', 'failed', 'canceled'].includes(last)) {
    try {
      const response = await fetch(`${apiUrl}/v1/classifications/${id}/events`, {
        headers: { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) },
      });
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw await errorOf(response);
      const parser = createParser({ onEvent });
      const decoder = new TextDecoder();
      for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      failures += 1;
      if (!isConnectionError(error) || failures > patience.tries) throw error;
      await delay(patience.pauseMs);
    }
  }
}

/** fetch tells every broken connection by a TypeError; by name, since it may come from another realm. */
export function isConnectionError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'TypeError';
}

async function bodyOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await errorOf(response);
  return await response.json();
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const problem = JSON.parse(text) as { code?: string; title?: string; detail?: string };
    return new ApiError(response.status, problem.code ?? 'unknown', `${problem.title ?? ''}: ${problem.detail ?? ''}`);
  } catch {
    return new ApiError(response.status, 'unknown', `the api answered ${response.status}: ${text.slice(0, 200)}`);
  }
}

export async function readPhoto(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  return { bytes: await readFile(path), name: basename(path) };
}
