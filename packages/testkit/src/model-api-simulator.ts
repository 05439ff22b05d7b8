import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { seededRandom } from './seeded-random.ts';
import { simulatedJson } from './simulator-content.ts';
import { deliverEvents, deliverJson, sendError, sendJson, untilGone, type Delivery } from './simulator-delivery.ts';
import { effectOf, type Effect } from './simulator-effects.ts';
import { faultsOf, parseFaultPlan, type CallKind, type Fault, type FaultPlan } from './simulator-faults.ts';
import { parseLimits, rateLimiter, type RateLimiter, type SimulatorLimits } from './simulator-limits.ts';
import { BadCall, readCall, type ModelCall } from './simulator-request.ts';
import { callTokens, finishedResponse, sayingOf, streamedResponse, tokenCounter } from './simulator-response.ts';

export interface SimulatorOptions {
  /** How long a call takes, evenly spread between the two bounds, in milliseconds. */
  readonly latency: Readonly<Record<CallKind, readonly [minMs: number, maxMs: number]>>;
  /** Decides latencies and faults that have a probability. */
  readonly seed: number;
  readonly faults?: FaultPlan;
  /** Of each model; a call beyond them is refused with 429. Default: limits are told, and nothing is refused. */
  readonly limits?: SimulatorLimits;
  /** Default: a free port. */
  readonly port?: number;
  /** Default: loopback. */
  readonly host?: string;
}

export interface CallLogEntry {
  /** Arrival, epoch milliseconds. */
  readonly at: number;
  /** Null where the call could not be read. */
  readonly kind: CallKind | null;
  readonly model: string | null;
  readonly imageSha256: string | null;
  readonly stream: boolean;
  readonly fault: Fault['fault'] | null;
  /** HTTP status; null as long as no answer has begun. */
  readonly status: number | null;
  /** The client went away before it had the whole answer. */
  readonly aborted: boolean;
  /** Null as long as the call is in flight. */
  readonly durationMs: number | null;
}

export interface ModelApiSimulator {
  /** `http://<host>:<port>/v1`, the base URL for an OpenAI client. */
  readonly baseUrl: string;
  calls(): CallLogEntry[];
  /** Replaces the plan; what the old one still had to spend is forgotten. */
  setFaults(plan: FaultPlan): void;
  /** Replaces the limits, with nothing of them used; `{}` ends their enforcement. */
  setLimits(limits: SimulatorLimits): void;
  /** Breaks all connections. */
  stop(): Promise<void>;
}

type LogLine = { -readonly [Key in keyof CallLogEntry]: CallLogEntry[Key] };

interface Simulation {
  readonly options: SimulatorOptions;
  readonly random: () => number;
  readonly countTokens: ReturnType<typeof tokenCounter>;
  readonly log: LogLine[];
  limiter: RateLimiter;
  nextFault: (kind: CallKind) => Fault | undefined;
}

/**
 * A server that speaks OpenAI's Responses API (`POST /v1/responses`, with and without a stream) and invents its answers
 * from the call alone: the same image and text give the same answer. Every answer says that it is simulated: the model
 * is named `simulator/…`, and the text of an `answer` begins with a marker.
 *
 * A rule is a line with `[rule:<id>]` before its sentence; a catalogue line is `id | Korean | English | …`; a question
 * between `<question>` tags is told from the text around it. For processes elsewhere, `GET /simulator/calls` gives the
 * log, `PUT /simulator/faults` takes a plan and `PUT /simulator/limits` takes limits.
 *
 * @throws when the port is taken.
 */
export async function startModelApiSimulator(options: SimulatorOptions): Promise<ModelApiSimulator> {
  const { host = '127.0.0.1', port = 0, faults = [], limits = {} } = options;
  const random = seededRandom(options.seed);
  const simulation: Simulation = {
    options,
    random,
    countTokens: tokenCounter(),
    log: [],
    limiter: rateLimiter(limits, monotonicMs),
    nextFault: faultsOf(faults, random),
  };
  const server = createServer((req, res) => void route(simulation, req, res));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the simulator listens on no TCP port');
  return {
    baseUrl: `http://${host}:${address.port}/v1`,
    calls: () => simulation.log.map((line) => ({ ...line })),
    setFaults: (plan) => (simulation.nextFault = faultsOf(plan, random)),
    setLimits: (given) => (simulation.limiter = rateLimiter(given, monotonicMs)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function monotonicMs(): number {
  return performance.now();
}

async function route(simulation: Simulation, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    const body = await readBody(req);
    switch (`${req.method} ${req.url}`) {
      case 'POST /v1/responses':
        return await serveCall(simulation, req, res, body);
      case 'GET /healthz':
        return sendJson(res, 200, { status: 'ok' });
      case 'GET /simulator/calls':
        return sendJson(res, 200, simulation.log);
      case 'PUT /simulator/faults':
        simulation.nextFault = faultsOf(parseFaultPlan(body), simulation.random);
        return sendJson(res, 200, { status: 'ok' });
      case 'PUT /simulator/limits':
        simulation.limiter = rateLimiter(parseLimits(body), monotonicMs);
        return sendJson(res, 200, { status: 'ok' });
      default:
        return sendError(res, 404, { code: 'unknown_url', message: `Invalid URL (${req.method} ${req.url})` });
    }
  } catch (error) {
    if (res.headersSent || res.destroyed) res.destroy();
    else
      sendError(res, 400, { code: 'invalid_request', message: error instanceof Error ? error.message : 'bad request' });
  }
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function serveCall(
  simulation: Simulation,
  req: IncomingMessage,
  res: ServerResponse,
  body: string,
): Promise<void> {
  const startedAt = performance.now();
  const line: LogLine = {
    at: Date.now(),
    kind: null,
    model: null,
    imageSha256: null,
    stream: false,
    fault: null,
    status: null,
    aborted: false,
    durationMs: null,
  };
  simulation.log.push(line);
  const delivery = trackDelivery(res, line, startedAt);
  res.setHeader('x-request-id', `req_${randomUUID().replaceAll('-', '')}`);
  const call = admit(req, res, body);
  if (call === undefined) return;
  const { kind, model, imageSha256, stream } = call;
  Object.assign(line, { kind, model, imageSha256, stream });
  const text = simulatedJson(call);
  if (!isWithinLimits(simulation, call, text, res)) return;
  const fault = simulation.nextFault(kind);
  line.fault = fault?.fault ?? null;
  try {
    await answer(simulation, { call, text }, effectOf(fault), delivery);
  } catch (error) {
    // Waiting was cut short because the client went away: there is nobody left to answer.
    if (!delivery.gone.aborted) throw error;
  }
}

/** Writes into the log how the delivery ends, and on whose side. */
function trackDelivery(res: ServerResponse, line: LogLine, startedAt: number): Delivery {
  const gone = new AbortController();
  let brokenHere = false;
  res.once('close', () => {
    line.status = res.headersSent ? res.statusCode : null;
    line.aborted = !res.writableFinished && !brokenHere;
    line.durationMs = performance.now() - startedAt;
    gone.abort();
  });
  const breakOff = () => {
    brokenHere = true;
    res.destroy();
  };
  return { res, gone: gone.signal, breakOff };
}

/** The call, unless it was refused: without a key with 401, as the real API does, and 400 where it makes no sense. */
function admit(req: IncomingMessage, res: ServerResponse, body: string): ModelCall | undefined {
  const key = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
  if (key === undefined || key.startsWith('sk-invalid')) {
    sendError(res, 401, { code: 'invalid_api_key', message: `Incorrect API key provided: ${key ?? ''}.` });
    return undefined;
  }
  try {
    return readCall(body);
  } catch (error) {
    if (!(error instanceof BadCall)) throw error;
    sendError(res, 400, { code: error.code, message: error.message, param: error.param });
    return undefined;
  }
}

/** Tells the limits; a call beyond them is refused before any fault can hit it, as a gateway does. */
function isWithinLimits({ limiter }: Simulation, call: ModelCall, text: string, res: ServerResponse): boolean {
  const { headers, refusal } = limiter(call.model, callTokens(call, text));
  res.setHeaders(new Map(Object.entries(headers)));
  if (refusal === undefined) return true;
  sendError(res, 429, { code: 'rate_limit_exceeded', type: refusal.kind, message: refusal.message });
  return false;
}

async function answer(
  { options, random, countTokens }: Simulation,
  { call, text }: { call: ModelCall; text: string },
  effect: Effect,
  delivery: Delivery,
): Promise<void> {
  const { res, gone } = delivery;
  if (effect.isSilent) return untilGone(gone);
  if (effect.refusal !== undefined) {
    const { status, headers, error } = effect.refusal;
    res.setHeaders(new Map(Object.entries(headers)));
    // The real API quotes the prompt now and then; whoever repeats its messages must be found out.
    return sendError(res, status, { ...error, message: `${error.message} Your input: ${call.text}` });
  }
  const [minMs, maxMs] = options.latency[call.kind];
  const latencyMs = minMs + random() * (maxMs - minMs) + effect.delayMs;
  const saying = sayingOf(text, effect);
  const usage = countTokens(call, saying.text);
  if (call.stream) return deliverEvents(delivery, streamedResponse(call, saying, usage), effect.cut, latencyMs);
  if (saying.end.status === 'error_event') {
    return sendError(res, 500, { code: saying.end.code, type: 'server_error', message: 'Simulated error.' });
  }
  return deliverJson(delivery, JSON.stringify(finishedResponse(call, saying, usage)), effect.cut, latencyMs);
}
