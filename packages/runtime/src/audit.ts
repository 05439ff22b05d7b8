import type { Redis } from 'ioredis';
import * as z from 'zod';
import { createKeys } from './keys.ts';
import type { Logger } from './log.ts';

/** `begun` stands before what destroys much, so that the attempt is known even where its author died in it. */
export const auditOutcomes = ['begun', 'done', 'refused', 'failed'] as const;

/** One administrative action. It never holds a secret, a question or an image. */
export interface AuditEntry {
  /** The id of an API key, or `cli:` and the name of a user of the operating system. */
  readonly actor: string;
  /** What was done, such as `keys.revoke`. */
  readonly action: string;
  /** What it was done to: an id, a queue, a filter. */
  readonly target: string;
  readonly outcome: (typeof auditOutcomes)[number];
  readonly facts?: Readonly<Record<string, unknown>>;
}

export const auditLineSchema = z.object({
  at: z.iso.datetime(),
  actor: z.string(),
  action: z.string(),
  target: z.string(),
  outcome: z.enum(auditOutcomes),
  facts: z.record(z.string(), z.unknown()),
});
export type AuditLine = z.infer<typeof auditLineSchema>;

/** About this many actions are kept: some megabytes. */
export const mostAuditEntries = 10_000;
const longestTarget = 500;
const longestFacts = 2_000;

export interface Audit {
  /**
   * Writes a line of the log and an entry of the stream. What was done is done, so that trouble is logged and not thrown.
   * @returns whether the entry is kept
   */
  record(entry: AuditEntry): Promise<boolean>;
  /** The newest actions at or after `sinceMs` (epoch ms by Redis's clock), oldest first. */
  read(options: { sinceMs?: number | undefined; limit: number }): Promise<AuditLine[]>;
}

/** The record of what people did to the system: a capped stream in Redis, and the log where there is one. */
export function createAudit(options: { redis: Redis; prefix: string; log?: Logger }): Audit {
  const { redis, log } = options;
  const key = createKeys(options.prefix).audit;
  return {
    async record(entry) {
      const { actor, action, target, outcome, facts } = entry;
      log?.info('audit', { actor, action, target, outcome, facts });
      try {
        await redis.xadd(key, 'MAXLEN', '~', mostAuditEntries, '*', ...auditFields(entry));
        return true;
      } catch (error) {
        log?.error('an administrative action could not be kept in the audit', { actor, action, target, error });
        return false;
      }
    },
    async read({ sinceMs, limit }) {
      const entries = await redis.xrevrange(key, '+', sinceMs === undefined ? '-' : String(sinceMs), 'COUNT', limit);
      return entries.map(toLine).toReversed();
    },
  };
}

/** The entry as the fields of a stream; what is too long is cut. */
export function auditFields({ actor, action, target, outcome, facts = {} }: AuditEntry): string[] {
  const text = JSON.stringify(facts);
  const kept = text.length > longestFacts ? JSON.stringify({ cut: text.slice(0, longestFacts) }) : text;
  return Object.entries({ actor, action, target: target.slice(0, longestTarget), outcome, facts: kept }).flat();
}

function toLine([id, fields]: [id: string, fields: string[]]): AuditLine {
  const entry: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) entry[fields[i] ?? ''] = fields[i + 1] ?? '';
  const at = new Date(Number(id.slice(0, id.indexOf('-')))).toISOString();
  return auditLineSchema.parse({ ...entry, at, facts: JSON.parse(entry['facts'] ?? '{}') as unknown });
}
