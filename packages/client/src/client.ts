import {
  hasEnded,
  type ClassificationEvent,
  type Deletion,
  type FeedbackGiven,
  type Items,
  type Locale,
  type Place,
  type Queues,
  type Resource,
  type Submitted,
} from './answers.ts';
import { ConnectionError, ProblemError } from './errors.ts';
import { followEvents, type FollowOptions } from './events.ts';
import { createExchange, readJson, type Ask, type ExchangeOptions, type Retry } from './exchange.ts';
import { newIdempotencyKey, toBlob, toQuery, writeQuestion, type Photo, type Question } from './photo.ts';
import { uploadPhoto } from './upload.ts';

export interface ClientOptions extends ExchangeOptions {
  /** Makes idempotency keys. Default: 128 random bits. */
  readonly newKey?: () => string;
}

/** What any call takes: who ends it, and who is told that it is tried again. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

export interface SubmitOptions extends Question, CallOptions {
  /** The same key with the same question within a day gives the first request again. Default: a random one. */
  readonly idempotencyKey?: string | undefined;
  /** How long the API is to wait for the answer before it answers, s; 60 at most. Default: not at all. */
  readonly waitS?: number | undefined;
}

export interface WaitOptions extends CallOptions {
  readonly onEvent?: (event: ClassificationEvent) => void;
  /** Is told what was found at each look, where no stream gets through. */
  readonly onLook?: (resource: Resource) => void;
}

export interface ListOptions extends CallOptions {
  /** Requests a page; 100 at most. */
  readonly pageSize?: number;
  /** Other query parameters of the list, by their names in the API. */
  readonly filters?: Readonly<Record<string, string | number | undefined>>;
}

/** What a person says that the thing is: an item of the catalogue, or words. */
export type Said = { readonly itemId: string } | { readonly text: string };

export type Client = ReturnType<typeof createClient>;

const classifications = '/v1/classifications';
/** How long a stream may say nothing before its request is looked at from time to time instead. */
const streamPatienceMs = 20_000;
const pollMs = { first: 500, longest: 5_000 };
/** The API waits two minutes for a body, so that a photo gets through a slow line; more than the usual try has. */
const slowLineMs = 60_000;

/**
 * A client of one API. Each call is repeated while that may help and patience lasts; photos are sent with an idempotency
 * key, so that a repeated one is accepted once.
 *
 * Every method throws ProblemError where the API refuses, ConnectionError where it cannot be reached, and the reason of an
 * aborted signal.
 */
export function createClient({ newKey = newIdempotencyKey, ...options }: ClientOptions) {
  const exchange = createExchange(options);

  /** With its place in the line, as long as no worker has taken it. */
  async function get(id: string, ask: CallOptions = {}): Promise<Resource & Partial<Place>> {
    const read = async (response: Response) => await readJson<Resource & Partial<Place>>(response);
    return await exchange.send(pathOf(id), { ...ask }, read);
  }

  async function post<Answer>(path: string, body: unknown, ask: Ask, read: (response: Response) => Promise<Answer>) {
    const headers = { 'content-type': 'application/json', ...ask.headers };
    return await exchange.send(path, { ...ask, method: 'POST', body: JSON.stringify(body), headers }, read);
  }

  function events(id: string, follow: FollowOptions = {}): AsyncGenerator<ClassificationEvent, void, undefined> {
    return followEvents(exchange, `${pathOf(id)}/events`, follow);
  }

  async function poll(id: string, { onLook, ...ask }: WaitOptions): Promise<Resource> {
    for (let pauseMs = pollMs.first; ; pauseMs = Math.min(pollMs.longest, pauseMs * 1.5)) {
      const resource = await get(id, ask);
      if (hasEnded(resource)) return resource;
      onLook?.(resource);
      await exchange.delay(pauseMs, ask.signal);
    }
  }

  /** The resource that the events end with; null where the stream gives nothing. */
  async function lastOf(id: string, { signal, onEvent }: WaitOptions): Promise<Resource | null> {
    let resource: Resource | null = null;
    try {
      for await (const event of events(id, { signal, patienceMs: Math.min(streamPatienceMs, exchange.patienceMs) })) {
        onEvent?.(event);
        if (event.resource) ({ resource } = event);
      }
    } catch (error) {
      // Some networks let no stream through. What is wrong with the request itself, reading it tells again.
      if (!(error instanceof ConnectionError || error instanceof ProblemError)) throw error;
    }
    return resource;
  }

  return {
    /** Asks about a photo. */
    async submit(photo: Photo, asked: SubmitOptions = {}): Promise<Submitted> {
      const { idempotencyKey = newKey(), waitS = 0, signal, onRetry, ...question } = asked;
      const { query, body, type } = writeQuestion(photo, question);
      const headers = {
        'idempotency-key': idempotencyKey,
        ...(waitS > 0 ? { prefer: `wait=${waitS}` } : {}),
        ...(type === undefined ? {} : { 'content-type': type }),
      };
      const ask: Ask = { method: 'POST', body, headers, signal, onRetry, extraMs: slowLineMs + waitS * 1000 };
      return await exchange.send(`${classifications}${query}`, ask, readSubmitted);
    },

    get,

    /** All requests of the key's owner, newest first, read a page at a time. */
    async *list({ pageSize, filters, ...ask }: ListOptions = {}): AsyncGenerator<Resource, void, undefined> {
      let cursor: string | undefined;
      do {
        const path = `${classifications}${toQuery({ ...filters, limit: pageSize, cursor })}`;
        const page = await exchange.send(path, ask, async (response) => await readJson<Page>(response));
        yield* page.data;
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
    },

    events,

    /** Waits for the request's end, by its events where they get through, else by looking from time to time. */
    async wait(id: string, waiting: WaitOptions = {}): Promise<Resource> {
      const last = await lastOf(id, waiting);
      return last && hasEnded(last) ? last : await poll(id, waiting);
    },

    /** Ends an open request without an answer. @throws ProblemError `already_ended` where it has ended otherwise */
    async cancel(id: string, ask: CallOptions = {}): Promise<Resource> {
      const read = async (response: Response) => await readJson<Resource>(response);
      return await exchange.send(`${pathOf(id)}/cancel`, { ...ask, method: 'POST' }, read);
    },

    /**
     * Removes a request and what was kept of it; an open one is canceled first. Null where a try whose answer was lost had
     * removed it. @returns what was removed, part by part
     */
    async delete(id: string, ask: CallOptions = {}): Promise<Deletion | null> {
      let isRepeated = false;
      const onRetry = (retry: Retry) => {
        isRepeated = true;
        ask.onRetry?.(retry);
      };
      const remove = async () =>
        await exchange.send(pathOf(id), { ...ask, method: 'DELETE', onRetry }, async (response) => {
          const answer = await readJson<Deletion | Resource>(response);
          return answer.status === 'deleted' ? answer : null;
        });
      try {
        // Of an open request the first answer is the canceled request; and one that ended meanwhile is asked for again.
        return (await remove().catch(onlyEnded)) ?? (await remove());
      } catch (error) {
        if (isRepeated && error instanceof ProblemError && error.status === 404) return null;
        throw error;
      }
    },

    /** Says what the thing is. Makes another request, which goes on with what was seen in the photo. */
    async clarify(id: string, said: Said, ask: CallOptions = {}): Promise<Submitted> {
      const body = 'itemId' in said ? { item_id: said.itemId } : { text: said.text };
      return await post(`${pathOf(id)}/clarify`, body, ask, readSubmitted);
    },

    /** Says what one thinks of an answer; it takes the place of what was said before. */
    async feedback(id: string, given: FeedbackGiven, ask: CallOptions = {}): Promise<void> {
      await post(`${pathOf(id)}/feedback`, given, ask, async (response) => await response.text());
    },

    /** The catalogue, or the items that match some words, the best first. */
    async items(query: { q?: string; locale?: Locale; limit?: number } = {}, ask: CallOptions = {}): Promise<Items> {
      return await exchange.send(
        `/v1/items${toQuery(query)}`,
        ask,
        async (response) => await readJson<Items>(response),
      );
    },

    async queues(ask: CallOptions = {}): Promise<Queues> {
      return await exchange.send('/v1/queues', ask, async (response) => await readJson<Queues>(response));
    },

    /** Puts a photo into the bucket without bringing it through the API. @returns the id to submit it by */
    async upload(photo: Blob | Uint8Array, ask: CallOptions = {}): Promise<{ readonly uploadId: string }> {
      return { uploadId: await uploadPhoto(exchange, toBlob(photo), ask) };
    },
  };
}

interface Page {
  readonly data: readonly Resource[];
  readonly next_cursor: string | null;
}

/** @throws what is no sign that a request has ended in this moment */
function onlyEnded(error: unknown): null {
  if (error instanceof ProblemError && error.code === 'already_ended') return null;
  throw error;
}

function pathOf(id: string): string {
  return `${classifications}/${encodeURIComponent(id)}`;
}

async function readSubmitted(response: Response): Promise<Submitted> {
  const {
    position = null,
    estimated_completion = null,
    links: _,
    ...resource
  } = await readJson<Resource & Partial<Place> & { links?: unknown }>(response);
  return {
    resource,
    finished: response.status === 200,
    place: { position, estimated_completion },
    replayed: response.headers.get('idempotent-replayed') === 'true',
  };
}
