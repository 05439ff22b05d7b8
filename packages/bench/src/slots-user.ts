import { Agent, request, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';

/** What became of one request of one user. Times are epoch milliseconds. */
export interface Outcome {
  readonly startedAt: number;
  readonly endedAt: number;
  /** `completed`, or what happened in its place, as `failed model_unavailable`. */
  readonly end: string;
  /** Whether the api has taken it, so that its models are to be called. */
  readonly accepted: boolean;
  /** Times that the api said "later" before it took the photo. */
  readonly refusals: number;
  /** Times that the events broke off before the last one, and were taken up again. */
  readonly resumed: number;
}

export interface UserOptions {
  readonly apiUrl: string;
  /** The API key. */
  readonly key: string;
  readonly agent: Agent;
  /** A photo and a question that nobody sends again. */
  readonly next: () => { readonly photo: Buffer; readonly question: string };
  readonly stopping: AbortSignal;
  readonly pause: (ms: number) => Promise<unknown>;
}

const boundary = 'bunri-bench-boundary';
/** Where the api says "later" without a time. */
const usualPauseS = 1;

/** A user as the README shows one: sends a form, follows its events to the last one, and sends the next. */
export async function beUser(options: UserOptions, tell: (outcome: Outcome) => void): Promise<void> {
  while (!options.stopping.aborted) {
    const startedAt = Date.now();
    const asked = await ask(options);
    tell({ startedAt, endedAt: Date.now(), ...asked });
    // A client whose request came to nothing does not come back at once.
    if (asked.end !== 'completed') await options.pause(usualPauseS * 1000);
  }
}

async function ask(options: UserOptions): Promise<Omit<Outcome, 'startedAt' | 'endedAt'>> {
  const { photo, question } = options.next();
  const body = formOf(photo, question);
  const outcome = { accepted: false, refusals: 0, resumed: 0 };
  try {
    for (;;) {
      const answer = await submit(options, body);
      if ('events' in answer) {
        outcome.accepted = true;
        const end = await follow(options, answer.events, () => {
          outcome.resumed += 1;
        });
        return { ...outcome, end };
      }
      if (answer.retryAfterS === undefined) return { ...outcome, end: answer.end };
      outcome.refusals += 1;
      await options.pause(answer.retryAfterS * 1000);
    }
  } catch (error) {
    return { ...outcome, end: `broken ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** A `multipart/form-data` body (RFC 7578). */
function formOf(photo: Buffer, question: string): Buffer {
  const field = (name: string, value: string) =>
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const file = `--${boundary}\r\ncontent-disposition: form-data; name="image"; filename="photo.jpg"\r\ncontent-type: image/jpeg\r\n\r\n`;
  const head = Buffer.from(`${field('question', question)}${field('locale', 'en')}${file}`);
  return Buffer.concat([head, photo, Buffer.from(`\r\n--${boundary}--\r\n`)]);
}

type Submitted = { readonly events: string } | { readonly end: string; readonly retryAfterS?: number };

async function submit({ apiUrl, key, agent }: UserOptions, body: Buffer): Promise<Submitted> {
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'content-length': String(body.length),
  };
  const response = await send(agent, `${apiUrl}/v1/classifications`, 'POST', headers, body);
  const text = await textOf(response);
  const {
    status: state,
    code,
    links,
  } = JSON.parse(text) as {
    status?: unknown;
    code?: unknown;
    links?: { events: string };
  };
  if (response.statusCode === 202 && links) return { events: links.events };
  // Every photo is new: an answer that was there already is none that these users count.
  if (response.statusCode === 200) return { end: `known already ${String(state)}` };
  const end = `refused ${response.statusCode} ${String(code)}`;
  if (response.statusCode !== 503 && response.statusCode !== 429) return { end };
  return { end, retryAfterS: Number(response.headers['retry-after'] ?? usualPauseS) };
}

/**
 * The end of a request, as its last event tells it. Events that break off are taken up after the last one that came, as a
 * browser does; an answer that is no stream is an end.
 */
async function follow(options: UserOptions, path: string, onResume: () => void): Promise<string> {
  const { apiUrl, key, agent, pause } = options;
  let lastId = '';
  for (;;) {
    const resume: Record<string, string> = lastId === '' ? {} : { 'last-event-id': lastId };
    const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream', ...resume };
    const response = await send(agent, `${apiUrl}${path}`, 'GET', headers);
    if (response.statusCode !== 200) return `events ${response.statusCode} ${codeOf(await textOf(response))}`;
    let end = '';
    const parser = createParser({
      onEvent: ({ id = lastId, event, data }) => {
        lastId = id;
        if (event === 'completed' || event === 'failed' || event === 'canceled') end = endOf(data);
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response) parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
    if (end !== '') return end;
    onResume();
    await pause(usualPauseS * 1000);
  }
}

/** Of a problem document. */
function codeOf(text: string): string {
  return text === '' ? '' : String((JSON.parse(text) as { code?: unknown }).code);
}

function endOf(data: string): string {
  const { resource } = JSON.parse(data) as {
    resource?: { status: string; degraded?: unknown; cached: boolean; error: { code: string } | null } | null;
  };
  if (!resource) return 'completed without a resource';
  const { status, degraded, cached, error } = resource;
  if (status !== 'completed') return `${status} ${error?.code ?? ''}`.trim();
  if (degraded) return 'completed degraded';
  return cached ? 'completed from the cache' : 'completed';
}

async function send(
  agent: Agent,
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Buffer,
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { agent, method, headers }, resolve);
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
