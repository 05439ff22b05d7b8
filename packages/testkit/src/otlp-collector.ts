import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { patienceMs } from './until.ts';

/** A span as it came, with what is of use to tests. */
export interface CollectedSpan {
  /** `service.name` of the process that sent it. */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Null of a span that begins a trace. */
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Trace ids of the spans that it is linked to. */
  readonly links: readonly string[];
  readonly failed: boolean;
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface OtlpCollector {
  /** What OTEL_EXPORTER_OTLP_ENDPOINT is set to. */
  readonly endpoint: string;
  /** All spans that have come, in the order in which they came. */
  readonly spans: readonly CollectedSpan[];
  /** How often anything was sent. */
  readonly calls: number;
  /** The spans of a trace, once there are as many as `enough` wants. @throws after 20 s, with those that are there */
  until(traceId: string, enough: (spans: readonly CollectedSpan[]) => boolean): Promise<CollectedSpan[]>;
  /** From now on every call is answered so. Default 200. */
  answer(status: number): void;
  stop(): Promise<void>;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}
type Attributes = readonly { readonly key: string; readonly value: Value }[];
interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly attributes?: Attributes;
        readonly links?: readonly { readonly traceId: string }[];
        readonly status?: { readonly code?: number };
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
      }[];
    }[];
  }[];
}

/** A collector of traces that speaks OTLP/HTTP with JSON, on loopback. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = [];
  const listeners = new Set<() => void>();
  let calls = 0;
  let status = 200;
  const server = createServer((request, response) => {
    calls += 1;
    void answerCall(request, response);
  });
  async function answerCall(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const sent = await take(request);
      if (status === 200) spans.push(...sent);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    } catch {
      // What is no OTLP, and what broke off with its sender.
      response.writeHead(400).end();
    }
    for (const look of listeners) look();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get calls() {
      return calls;
    },
    answer: (next) => (status = next),
    async until(traceId, enough) {
      return await new Promise((resolve, reject) => {
        const look = () => {
          const found = spans.filter((span) => span.traceId === traceId);
          if (!enough(found)) return;
          clearTimeout(timer);
          listeners.delete(look);
          resolve(found);
        };
        const timer = setTimeout(() => {
          listeners.delete(look);
          const names = spans.map((span) => `${span.traceId} ${span.service} ${span.name}`);
          reject(new Error(`Not all spans of ${traceId} came. There are:\n${names.join('\n')}`));
        }, patienceMs);
        listeners.add(look);
        look();
      });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function take(request: IncomingMessage): Promise<CollectedSpan[]> {
  if (request.method !== 'POST' || request.url !== '/v1/traces') throw new Error('not a call of OTLP');
  const { resourceSpans } = (await json(request)) as Sent;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(flat(resource.attributes)['service.name']),
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId === undefined || span.parentSpanId === '' ? null : span.parentSpanId,
        name: span.name,
        attributes: flat(span.attributes ?? []),
        links: (span.links ?? []).map((link) => link.traceId),
        failed: span.status?.code === 2,
        startedAt: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
        endedAt: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
      })),
    ),
  );
}

function flat(attributes: Attributes): CollectedSpan['attributes'] {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      return [key, stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))];
    }),
  );
}
