import { readdirSync } from 'node:fs';
import { z } from 'zod';

const folder = new URL('../../../apps/', import.meta.url);

/** The folders of apps/, which are the names of the images. */
export function appNames(): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    .toSorted();
}

/** The first import of an app's settings transpiles and loads the packages behind them, on a busy machine for seconds. */
export const importTimeoutMs = 20_000;

/** The settings that an app reads from its environment. */
export async function configSchemaOf(app: string): Promise<z.ZodObject> {
  const module = (await import(new URL(`${app}/src/config.ts`, folder).href)) as { configSchema?: unknown };
  if (module.configSchema instanceof z.ZodObject) return module.configSchema;
  throw new Error(`apps/${app}/src/config.ts exports no object schema named configSchema.`);
}

/** Values that every secret setting accepts, in place of those of a Secret. */
export const sampleSecrets: Record<string, string> = {
  REDIS_URL: 'redis://:secret@redis:6379',
  S3_ACCESS_KEY_ID: 'access',
  S3_SECRET_ACCESS_KEY: 'secret',
  OPENAI_API_KEY: 'secret',
  FALLBACK_API_KEY: 'secret',
  WEBHOOK_SECRET_KEY: Buffer.alloc(32).toString('base64'),
  OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=secret',
  API_KEYS: JSON.stringify([{ id: 'one', sha256: '0'.repeat(64), owner: 'one', scopes: ['submit', 'read'] }]),
};

/** What an app says about an environment; empty when it starts. */
export function problemsOf(schema: z.ZodObject, environment: ReadonlyMap<string, string | undefined>): string[] {
  const filled = [...environment].map(([name, value]) => [name, value ?? sampleSecrets[name]]);
  const result = schema.safeParse(Object.fromEntries(filled));
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}
