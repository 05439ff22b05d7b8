import * as z from 'zod';

/** Settings of every process. */
export const tracingSettings = {
  TRACING: z
    .enum(['off', 'otlp'])
    .default('off')
    .meta({ description: 'otlp: spans of requests, stages and model calls are sent to OTEL_EXPORTER_OTLP_ENDPOINT' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description: 'URL of an OTLP/HTTP collector, without /v1/traces, such as http://collector:4318; for TRACING=otlp',
    }),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .regex(
      /^[\w.-]+=([^,%]|%[\da-fA-F]{2})*(,\s*[\w.-]+=([^,%]|%[\da-fA-F]{2})*)*$/,
      'must be a list such as x-api-key=abc,x-tenant=one',
    )
    .optional()
    .meta({
      description: 'what the collector is told with each call, as name=value,name=value in percent-encoding; secret',
    }),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .meta({ description: 'share of traces that are kept, 0 to 1; a caller that has decided already is followed' }),
  OTEL_SERVICE_NAME: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'what this process is called in traces; without it bunri- and the app' }),
};

export interface TracingOptions {
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly serviceName: string;
  /** Of the traces that begin here. */
  readonly sampleRatio: number;
}

/** Null while tracing is off. @throws Error where the settings contradict each other. */
export function readTracing(
  app: string,
  settings: z.infer<z.ZodObject<typeof tracingSettings>>,
): TracingOptions | null {
  if (settings.TRACING === 'off') return null;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: serviceName = `bunri-${app}` } = settings;
  if (endpoint === undefined)
    throw new Error('The configuration is not usable:\n  OTEL_EXPORTER_OTLP_ENDPOINT: is required with TRACING=otlp');
  const headers = readHeaders(settings.OTEL_EXPORTER_OTLP_HEADERS);
  return { endpoint, headers, serviceName, sampleRatio: settings.OTEL_TRACES_SAMPLER_ARG };
}

function readHeaders(list = ''): Record<string, string> {
  const pairs = list.split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}
