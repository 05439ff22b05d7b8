import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';

/** Null while tracing is off: then every function here does its work and nothing else. */
let tracer: Tracer | null = null;

/** From now on this process's spans are made by this tracer; with null, there are none. */
export function setTracer(next: Tracer | null): void {
  tracer = next;
}

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

/** A span to be started. Neither names nor attributes ever hold what a client or a model wrote. */
export interface SpanPlan {
  readonly name: string;
  /** Default `internal`. */
  readonly kind?: keyof typeof kinds;
  readonly attributes?: Attributes;
  /** Epoch ms. Default: now. */
  readonly startedAt?: number;
  /** The traceparent of a span in another trace that this one has to do with. */
  readonly linkedTo?: string | undefined;
}

/** A span that has been started, and is to be ended once. */
export interface TraceSpan {
  /** In hex, and as a W3C traceparent; undefined where the sampler has left this trace out. */
  readonly traceId: string | undefined;
  readonly traceparent: string | undefined;
  /** Does work whose own spans and log lines belong to this span. */
  run<T>(work: () => T): T;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** @param type a code or the name of an error class, never a message */
  fail(type: string): void;
  end(endedAt?: number): void;
}

/** The trace that present work belongs to, in hex; undefined without one. */
export function activeTraceId(): string | undefined {
  return sampled(trace.getActiveSpan()?.spanContext())?.traceId;
}

/** Starts a span that continues the trace of a caller's `traceparent` header, or a trace of its own. Null while tracing is off. */
export function startTrace(plan: SpanPlan, traceparent?: string): TraceSpan | null {
  return tracer && start(tracer, plan, contextOf(traceparent) ?? ROOT_CONTEXT);
}

/** Does work in a span of the trace that is told by a traceparent, as our own processes hand it on; without one, or while tracing is off, the work alone. */
export async function inTrace<T>(
  traceparent: string | undefined,
  plan: () => SpanPlan,
  work: (span: TraceSpan | null) => Promise<T>,
): Promise<T> {
  const parent = tracer && contextOf(traceparent);
  return tracer && parent ? await within(start(tracer, plan(), parent), work) : await work(null);
}

/** Does work in a span below the present one; where there is none, the work alone. */
export async function inSpan<T>(plan: () => SpanPlan, work: (span: TraceSpan | null) => Promise<T>): Promise<T> {
  if (!tracer || activeTraceId() === undefined) return await work(null);
  return await within(start(tracer, plan(), context.active()), work);
}

/** Does work in a span below the present one; where there is none, in one that begins a trace. */
export async function inSpanOrTrace<T>(plan: () => SpanPlan, work: (span: TraceSpan | null) => Promise<T>): Promise<T> {
  return tracer ? await within(start(tracer, plan(), context.active()), work) : await work(null);
}

/** Tells of work that has ended already, below the present span, or in the trace of a traceparent. Times in epoch ms. */
export function recordSpan(
  plan: () => SpanPlan & { readonly startedAt: number },
  { endedAt, traceparent }: { endedAt: number; traceparent?: string | undefined },
): void {
  if (!tracer) return;
  const parent = traceparent === undefined ? context.active() : contextOf(traceparent);
  if (!parent || !sampled(trace.getSpanContext(parent))) return;
  start(tracer, plan(), parent).end(endedAt);
}

/** What a span tells of an error: its code, or the name of its class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

async function within<T>(span: TraceSpan, work: (span: TraceSpan) => Promise<T>): Promise<T> {
  try {
    return await span.run(async () => await work(span));
  } catch (error) {
    span.fail(errorType(error));
    throw error;
  } finally {
    span.end();
  }
}

function start(by: Tracer, { name, kind = 'internal', attributes, startedAt, linkedTo }: SpanPlan, parent: Context) {
  const linked = parseTraceparent(linkedTo);
  const options = {
    kind: kinds[kind],
    ...(attributes && { attributes }),
    ...(startedAt === undefined ? {} : { startTime: startedAt }),
    ...(linked && { links: [{ context: linked }] }),
  };
  return wrap(by.startSpan(name, options, parent), parent);
}

function wrap(span: Span, parent: Context): TraceSpan {
  const told = sampled(span.spanContext());
  const inside = trace.setSpan(parent, span);
  return {
    traceId: told?.traceId,
    traceparent: told && `00-${told.traceId}-${told.spanId}-01`,
    run: (work) => context.with(inside, work),
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(attributes),
    fail: (type) => void span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type),
    end: (endedAt) => span.end(endedAt),
  };
}

function sampled(span: SpanContext | undefined): SpanContext | undefined {
  return span && (span.traceFlags & TraceFlags.SAMPLED) !== 0 ? span : undefined;
}

function contextOf(traceparent: string | undefined): Context | null {
  const parent = parseTraceparent(traceparent);
  return parent && trace.setSpanContext(ROOT_CONTEXT, parent);
}

/** Null for what is no traceparent by https://www.w3.org/TR/trace-context/; of later versions, the part that this one knows is read. */
export function parseTraceparent(text: string | undefined): SpanContext | null {
  const [, version, traceId, spanId, flags, more] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return trace.isSpanContextValid(parent) ? parent : null;
}
