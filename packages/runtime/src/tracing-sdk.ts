// Loaded only where tracing is on: the SDK takes memory and time that nobody should pay for who does not trace.
import { context, diag, DiagLogLevel, TraceFlags, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import { oncePerMessage } from './once-per-message.ts';
import type { TracingOptions } from './tracing-settings.ts';

/** Spans that wait to be sent, and are sent at once; what ends beyond that is dropped and counted. */
const batches = { maxQueueSize: 2_048, maxExportBatchSize: 512, scheduledDelayMillis: 1_000 };
/** For one batch, its repetitions included. */
const sendTimeoutMs = 5_000;
/** How long a stopping process waits for its last spans to be taken. */
const lastSendMs = 2_000;

export interface OpenTracer {
  readonly tracer: Tracer;
  /** Sends what is left, within bounds. */
  close(): Promise<void>;
}

interface TracerDeps {
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'tracesDropped'>;
}

/** Opens the way to an OTLP collector. Nothing here ever waits for it but `close`. */
export function openTracer(
  { endpoint, headers, serviceName, sampleRatio }: TracingOptions,
  deps: TracerDeps,
): OpenTracer {
  reportTrouble(deps.log);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: sendTimeoutMs,
  });
  const { processor, giveUp, sent } = boundedProcessor(exporter, deps.metrics);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.namespace': 'bunri' }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
    spanProcessors: [processor],
  });
  const sendLast = async () => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, lastSendMs);
    });
    // It fails with the first batch that does, which is counted and reported; the others are still under way.
    const all = provider.shutdown().catch(async () => await sent());
    await Promise.race([all, late]);
    clearTimeout(timer);
    const lost = giveUp();
    if (lost === 0) return;
    deps.metrics.tracesDropped.inc({ reason: 'not_sent' }, lost);
    deps.log.warn('spans were not sent before the stop', { count: lost });
  };
  let closed: Promise<void> | undefined;
  return { tracer: provider.getTracer('bunri'), close: async () => await (closed ??= sendLast()) };
}

/** Whether the collector took a batch: its package exports no name for that. */
function isTaken({ code }: { readonly code: number }): boolean {
  return code === 0;
}

/** The SDK's batches, with a count of what they drop: because the queue is full, or because the collector did not take it. */
function boundedProcessor(exporter: SpanExporter, metrics: Pick<Metrics, 'tracesDropped'>) {
  let queued = 0;
  let sending = 0;
  let givenUp = false;
  let whenSent: () => void = () => undefined;
  const counted: SpanExporter = {
    export(spans, done) {
      queued -= spans.length;
      sending += spans.length;
      exporter.export(spans, (result) => {
        sending -= spans.length;
        if (!isTaken(result) && !givenUp) metrics.tracesDropped.inc({ reason: 'not_sent' }, spans.length);
        done(result);
        if (sending === 0) whenSent();
      });
    },
    shutdown: async () => await exporter.shutdown(),
  };
  const batch = new BatchSpanProcessor({ exporter: counted, exportTimeoutMillis: 2 * sendTimeoutMs, ...batches });
  const processor: SpanProcessor = {
    onStart: (span, parent) => batch.onStart(span, parent),
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (queued >= batches.maxQueueSize) return metrics.tracesDropped.inc({ reason: 'queue_full' });
      queued += 1;
      batch.onEnd(span);
    },
    forceFlush: async () => await batch.forceFlush(),
    shutdown: async () => await batch.shutdown(),
  };
  const sent = async () => await new Promise<void>((resolve) => (sending === 0 ? resolve() : (whenSent = resolve)));
  /** How many spans are still under way, which nobody waits for any more: none of them is counted here from now on. */
  const giveUp = () => {
    givenUp = true;
    return queued + sending;
  };
  return { processor, giveUp, sent };
}

/** What the SDK has to say of itself, as that its collector is away. */
function reportTrouble(log: Logger): void {
  const warn = oncePerMessage(({ message }) => log.warn('tracing trouble', { detail: message.slice(0, 500) }));
  const report = (message: string) => warn(new Error(message));
  const ignore = () => undefined;
  const level = { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true };
  diag.setLogger({ error: report, warn: report, info: ignore, debug: ignore, verbose: ignore }, level);
}
