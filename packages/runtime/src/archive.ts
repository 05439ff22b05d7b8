import type { Redis } from 'ioredis';
import { failureSchema, isDeadLetter, isTerminal, type RequestStatus } from '@bunri/queue-contracts';
import { packArchive, unpackArchive, type Archive, type ArchivedEvent } from './archive-codec.ts';
import type { Keys } from './keys.ts';
import { oneOf } from './record-outcomes.ts';

/** The field of a record that holds its archive. */
export const archiveField = 'archive';

/** They stay as fields beside the archive: what the scripts of the record ask of a closed request, or still change. */
const keptFields: readonly string[] = ['status', 'seq', 'generation', 'answeredBy'];

/**
 * The hourly clean-up takes away what is past its retention with its entries in the indexes. Of what Redis has expired
 * before, it cannot know the owner any more, and the entry in the owner's list would stay for a week.
 */
const cleanUpMs = 4 * 3600_000;

/**
 * Replaces a closed record's fields and events by one packed field, in one step. KEYS 1 record, 2 event stream. ARGV 1 seq
 * and 2 generation as they were when it was read: every change of a record but its end counts the one or the other on,
 * and a closed one has had its end. 3 archive. Deleted first, as Redis then lets the script go on when memory is full.
 */
const archiveScript = `
local call, rec = redis.call, KEYS[1]
local state = call('HMGET', rec, 'status', 'seq', 'generation', '${archiveField}', 'answeredBy', 'deleting')
local status = state[1]
if not status then return 'gone' end
if state[4] then return 'archived_before' end
if status ~= 'completed' and status ~= 'failed' and status ~= 'canceled' then return 'open' end
if state[2] ~= ARGV[1] or (state[3] or '') ~= ARGV[2] or state[6] then return 'changed' end
local ttl = call('PTTL', rec)
call('DEL', rec)
call('UNLINK', KEYS[2])
call('HSET', rec, 'status', status, 'seq', state[2], '${archiveField}', ARGV[3])
if state[3] then call('HSET', rec, 'generation', state[3]) end
if state[5] then call('HSET', rec, 'answeredBy', state[5]) end
if ttl > 0 then call('PEXPIRE', rec, ttl + ${cleanUpMs}) end
return 'archived'`;

const outcomes = ['archived', 'archived_before', 'open', 'changed', 'gone', 'dead_letter', 'unreadable'] as const;
/**
 * `dead_letter`: it may be retried, and stays as it is; `changed`: it was opened again in between, or is being deleted; `unreadable`: its record
 * is not one of ours, and stays.
 */
export type ArchiveOutcome = (typeof outcomes)[number];

export interface ArchivePosition {
  readonly id: string;
  /** Epoch ms. */
  readonly finishedAt: number;
}

export type Archiver = ReturnType<typeof createArchiver>;

type Fields = Readonly<Record<string, string>>;
type Entry = readonly [entryId: string, fields: readonly string[]];

/**
 * Puts finished requests to rest: a record with its events takes a tenth of the memory from then on, and `recordReads`
 * gives the same as before. Repeating it changes nothing. Dead letters are left alone, as they may be opened again.
 */
export function createArchiver({ redis, keys }: { redis: Redis; keys: Keys }) {
  redis.defineCommand('bunri_archive', { lua: archiveScript, numberOfKeys: 2 });
  const script = redis as unknown as {
    bunri_archive(
      ...given: [record: string, events: string, seq: string, generation: string, archive: Buffer]
    ): Promise<string>;
  };

  async function archiveOne(id: string): Promise<ArchiveOutcome> {
    const names = [keys.record(id), keys.events(id)] as const;
    // Both are on their way before the first answer comes, as are those of all the others.
    const [given, entries] = await Promise.all([redis.hgetallBuffer(names[0]), redis.xrange(names[1], '-', '+')]);
    const fields = toText(given);
    const refusal = whyNot(fields);
    if (refusal !== null) return refusal;
    const packed = packArchive({ fields: atRest(fields), events: entries.map(toArchived) });
    const { seq = '', generation = '' } = fields;
    return oneOf(await script.bunri_archive(...names, seq, generation, packed), outcomes);
  }

  return {
    /** Requests that ended from `from` to `until`, both epoch ms and inclusive, oldest first; dead letters are kept apart. */
    async finished(from: number, until: number, limit: number): Promise<ArchivePosition[]> {
      const flat = await redis.zrangebyscore(keys.finished, from, until, 'WITHSCORES', 'LIMIT', 0, limit);
      return Array.from({ length: flat.length / 2 }, (_, i) => ({
        id: flat[i * 2] ?? '',
        finishedAt: Number(flat[i * 2 + 1]),
      }));
    },

    /** Few enough at once that nobody else waits for long. @returns how many came to which end. */
    async archive(ids: readonly string[]): Promise<Record<ArchiveOutcome, number>> {
      const counts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0])) as Record<ArchiveOutcome, number>;
      const ends = ids.map(async (id) => await archiveOne(id).catch(unreadableOrThrow));
      for (const outcome of await Promise.all(ends)) counts[outcome] += 1;
      return counts;
    },

    /** Up to when finished requests have been looked at, epoch ms; 0 where none have. */
    async position(): Promise<number> {
      return Number((await redis.get(keys.archivedUntil)) ?? 0);
    },

    async setPosition(finishedAt: number): Promise<void> {
      await redis.set(keys.archivedUntil, finishedAt);
    },
  };
}

/** A record that Redis itself cannot read as one must not keep the others from their rest. */
function unreadableOrThrow(error: unknown): 'unreadable' {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return 'unreadable';
  throw error;
}

function whyNot(fields: Fields): 'gone' | 'archived_before' | 'open' | 'dead_letter' | 'unreadable' | null {
  const { status, error } = fields;
  if (status === undefined) return 'gone';
  if (fields[archiveField] !== undefined) return 'archived_before';
  if (!isTerminal(status as RequestStatus)) return 'open';
  if (error === undefined) return null;
  try {
    return isDeadLetter(failureSchema.parse(JSON.parse(error)).code) ? 'dead_letter' : null;
  } catch {
    return 'unreadable';
  }
}

/** Without what stays beside the archive, and what nobody asks of a closed request: who ran it, and when it could have run. */
function atRest(fields: Fields): Archive['fields'] {
  const left = ([name]: readonly [string, string]) =>
    !keptFields.includes(name) && name !== 'class' && name !== 'readyAt' && !name.endsWith('.token');
  return Object.fromEntries(Object.entries(fields).filter(left));
}

/** From an entry of the event stream. */
export function toArchived([entryId, fields]: Entry): ArchivedEvent {
  const value = (name: string) => fields[fields.indexOf(name) + 1] ?? '';
  return [entryId.replace('-0', ''), value('type'), value('at'), value('data')];
}

function toText(given: Readonly<Record<string, Buffer>>): Fields {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value.toString()]));
}

/** The fields of a record as they were before it was archived, from those that Redis has. @throws for a damaged archive. */
export function recordFields(given: Readonly<Record<string, Buffer>>): Fields {
  const { [archiveField]: packed, ...others } = given;
  return packed ? { ...unpackArchive(packed).fields, ...toText(others) } : toText(others);
}

/** The archived events after `afterSeq`; none where the record has no archive. */
export async function archivedEvents(
  { redis, keys }: { redis: Redis; keys: Keys },
  id: string,
  afterSeq: number,
): Promise<readonly ArchivedEvent[]> {
  const packed = await redis.hgetBuffer(keys.record(id), archiveField);
  return packed ? unpackArchive(packed).events.filter(([seq]) => Number(seq) > afterSeq) : [];
}
