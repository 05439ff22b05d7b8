import { z } from 'zod';
import { appNames, configSchemaOf } from './apps.ts';

/** Settings by name, with the apps that read them. */
async function settings(): Promise<Map<string, { schema: z.ZodType; apps: string[] }>> {
  const found = new Map<string, { schema: z.ZodType; apps: string[] }>();
  for (const app of appNames()) {
    for (const [name, schema] of Object.entries((await configSchemaOf(app)).shape)) {
      const entry = found.get(name) ?? { schema: schema as z.ZodType, apps: [] };
      entry.apps.push(app);
      found.set(name, entry);
    }
  }
  return found;
}

/** What `.env.example` holds: every setting of every app, what it is for, who reads it, and its default. */
export async function envExample(): Promise<string> {
  const all = await settings();
  const everywhere = appNames().length;
  const entries = [...all].toSorted(([, a], [, b]) => b.apps.length - a.apps.length);
  const lines = entries.map(([name, { schema, apps }]) => {
    const readers = apps.length === everywhere ? 'every app' : apps.join(', ');
    const fallback = schema.safeParse(undefined);
    const value = fallback.success ? fallback.data : undefined;
    const shown = ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : '';
    const need = fallback.success ? '' : ' Required.';
    return `# ${schema.meta()?.description ?? ''}; read by ${readers}.${need}\n${fallback.success ? '# ' : ''}${name}=${shown}\n`;
  });
  return `# Every setting of bunri. A line without # is required.\n\n${lines.join('\n')}`;
}
