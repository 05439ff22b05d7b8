import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { resourceSchema, type Resource } from '@bunri/queue-contracts';
import type { ToldEvent } from './accounting.ts';
import { BrokenConnection, encodeForm, exchange, textOf, type Answer, type Ask } from './exchange.ts';

/** What a client sends: the same key, photo and question at every try. */
export interface Submission {
  readonly key: string;
  readonly photo: Uint8Array;
  readonly question: string;
  readonly priority?: 'interactive' | 'batch';
  readonly deadlineS?: number;
}

/** An answer that trying again will not change. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(`the api answered ${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

/** The api was away for longer than the client waits. */
export class GaveUp extends Error {
  override readonly name = 'GaveUp';
}

export interface ClientOptions {
  readonly apiUrl: string;
  /** `Bearer` credentials, where the api wants some. */
  readonly apiKey?: string;
  /** Ends whatever the client is doing. */
  readonly signal: AbortSignal;
  /** How long one question to the api is repeated, ms. Default 150,000. */
  readonly patienceMs?: number;
}

export type PatientClient = ReturnType<typeof createPatientClient>;

/** A client that asks again looks after this at the latest, whatever it was told: it wants to see when things are well. */
const longestPauseMs = 5_000;
const brokenPauseMs = 150;
const tryTimeoutMs = 30_000;
/** Statuses that say "later", and not "no". */
const passing = new Set([429, 502, 503, 504]);

/**
 * A client as a careful program is one: a broken connection, 429 and 502 to 504 are tried again with the same idempotency
 * key, after what Retry-After says or sooner; event streams are resumed after the last event.
 */
export function createPatientClient(options: ClientOptions) {
  const { apiUrl, apiKey, signal, patienceMs = 150_000 } = options;
  const credentials: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

  const agent = new Agent({ keepAlive: true });

  async function request(path: string, ask: Omit<Ask, 'signal'> = {}): Promise<Answer> {
    return await exchange(agent, `${apiUrl}${path}`, {
      ...ask,
      headers: { ...credentials, ...ask.headers },
      signal: AbortSignal.any([signal, AbortSignal.timeout(tryTimeoutMs)]),
    });
  }

  /** @throws Refused, GaveUp, or the signal's reason. */
  async function patiently<Result>(ask: () => Promise<Answer>, read: (answer: Answer) => Promise<Result>) {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const tried = await attempt(ask, read);
      signal.throwIfAborted();
      if ('result' in tried) return tried.result;
      if (Date.now() + tried.pauseMs > giveUpAt) throw new GaveUp(`the api was away for ${patienceMs} ms`);
      await delay(tried.pauseMs, undefined, { signal });
    }
  }

  return {
    /** Sends the submission until it has an id. @throws Refused, GaveUp. */
    async submit({ key, photo, question, priority, deadlineS }: Submission): Promise<Resource> {
      const form = new FormData();
      form.set('question', question);
      form.set('locale', 'en');
      if (priority) form.set('priority', priority);
      if (deadlineS !== undefined) form.set('deadline', String(deadlineS));
      form.set('image', new Blob([Uint8Array.from(photo)]), 'photo.jpg');
      const { body, headers } = await encodeForm(form);
      const ask = { method: 'POST', body, headers: { ...headers, 'idempotency-key': key } };
      return await patiently(async () => await request('/v1/classifications', ask), readResource);
    },

    /** @throws Refused with status 404 or 410 where there is no such request. */
    async get(id: string): Promise<Resource> {
      return await patiently(async () => await request(`/v1/classifications/${id}`), readResource);
    },

    /** @throws Refused with code `already_ended`. */
    async cancel(id: string): Promise<Resource> {
      const ask = { method: 'POST' };
      return await patiently(async () => await request(`/v1/classifications/${id}/cancel`, ask), readResource);
    },

    /**
     * Follows a request to its end over as many connections as it takes. Returns when the stream says that it has ended.
     *
     * @throws Refused, GaveUp where nothing is heard of it for longer than the client's patience.
     */
    async follow(id: string, onEvent: (event: ToldEvent) => void): Promise<void> {
      let last = '';
      let type = '';
      const tell = (event: ToldEvent) => {
        last = String(event.seq);
        type = event.type;
        onEvent(event);
      };
      while (!['completed', 'failed', 'canceled'].includes(type)) {
        const open = async () => {
          const resume: Record<string, string> = last ? { 'last-event-id': last } : {};
          const headers = { accept: 'text/event-stream', ...resume };
          return await request(`/v1/classifications/${id}/events`, { headers });
        };
        const status = await patiently(open, async (answer) => {
          await readEvents(answer, tell);
          return answer.status;
        });
        if (status === 204) return;
      }
    },
  };
}

type Tried<Result> = { readonly result: Result } | { readonly pauseMs: number };

async function attempt<Result>(
  ask: () => Promise<Answer>,
  read: (answer: Answer) => Promise<Result>,
): Promise<Tried<Result>> {
  try {
    const answer = await ask();
    if (answer.status >= 200 && answer.status < 300) return { result: await read(answer) };
    const code = codeOf(await textOf(answer));
    if (!passing.has(answer.status)) throw new Refused(answer.status, code);
    const asked = Number(answer.headers['retry-after'] ?? Number.NaN) * 1000;
    return { pauseMs: Number.isNaN(asked) ? brokenPauseMs : Math.min(asked, longestPauseMs) };
  } catch (error) {
    if (error instanceof BrokenConnection) return { pauseMs: brokenPauseMs };
    throw error;
  }
}

async function readResource(answer: Answer): Promise<Resource> {
  return resourceSchema.parse(JSON.parse(await textOf(answer)));
}

/** Of a problem document; empty where it is none. */
function codeOf(text: string): string {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === 'string' ? code : '';
  } catch {
    return '';
  }
}

/**
 * Reads one connection's events until it ends. An event counts once it is there as a whole.
 *
 * @throws Refused where the stream ends with a problem document, as that of a lost request does.
 */
export async function readEvents(answer: Answer, onEvent: (event: ToldEvent) => void): Promise<void> {
  let refused: Refused | undefined;
  const parser = createParser({
    onEvent: ({ id, event: type = 'message', data }) => {
      const { stage, status, code } = JSON.parse(data) as { stage?: unknown; status?: unknown; code?: unknown };
      if (type === 'error') refused = new Refused(Number(status), String(code));
      else onEvent({ seq: Number(id), type, stage: typeof stage === 'string' ? stage : null });
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of answer.body) parser.feed(decoder.decode(chunk, { stream: true }));
  if (refused) throw refused;
}
