import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  archiveField,
  createArchiver,
  createRecordStore,
  createResultCache,
  storeRequest,
  type RecordStore,
} from '@bunri/runtime';
import { idAt, play, tell, type Story } from './finished-requests.ts';
import { usedMemory } from './redis-memory.ts';

/** Owns half of all requests; the others have fifty each. */
export const bigOwner = 'bench-big';
const requestsOfSmall = 50;
export const ownerOf = (n: number): string =>
  n % 2 === 0 ? bigOwner : `bench-${Math.floor(n / (2 * requestsOfSmall))}`;

const hourMs = 3600 * 1000;
/** The copies are spread over it, and no record expires while it is measured. */
const spreadMs = 20 * hourMs;
const ttlMs = 26 * hourMs;
/** So long ago nothing ended, but for what is measured. */
const quietMs = 2 * hourMs;
const batch = 500;

/** Bytes of Redis a request, all overhead included. */
export interface BytesPerRequest {
  readonly asItEnds: number;
  readonly atRest: number;
  /** What the stages keep for reuse of a photo and question that nobody has sent before. */
  readonly caches: number;
}

/** Plays `count` requests to their end, one after the other, archives them as the scheduler does, and weighs each step. */
export async function playRequests(redis: Redis, prefix: string, count: number): Promise<BytesPerRequest> {
  const records = createRecordStore({ redis, prefix });
  // What is there once: scripts, statistics of the day, indexes.
  await play(records, tell(0, 'bench-warm', Date.now()));
  const stories: Story[] = [];
  const empty = await usedMemory(redis);
  for (let n = 0; n < count; n += 1) {
    const story = tell(n, ownerOf(n), Date.now());
    await play(records, story);
    stories.push(story);
  }
  const ended = await usedMemory(redis);
  await archiveAll(records);
  const resting = await usedMemory(redis);
  for (const story of stories) await keepResults(redis, prefix, story);
  const cached = await usedMemory(redis);
  return {
    asItEnds: (ended - empty) / count,
    atRest: (resting - empty) / count,
    caches: (cached - resting) / count,
  };
}

async function archiveAll(records: RecordStore): Promise<void> {
  const archiver = createArchiver(records);
  const ids = (await archiver.finished(0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)).map(({ id }) => id);
  for (let i = 0; i < ids.length; i += 25) await archiver.archive(ids.slice(i, i + 25));
  // As if they had ended before all that is measured.
  const before = Date.now() - quietMs;
  await records.redis.zadd(records.keys.finished, ...ids.flatMap((id) => [before, id]));
  await archiver.setPosition(before + 1);
}

/** As the stages do, under keys as long as theirs. */
async function keepResults(redis: Redis, prefix: string, { request, outputs }: Story): Promise<void> {
  const cache = createResultCache({ redis, prefix });
  const key = () => randomBytes(32).toString('hex');
  const { source, question, locale } = request;
  if (source.kind !== 'upload') throw new Error('a played request has an upload');
  await cache.set('image:1', source.sha256, outputs.preprocess);
  await cache.set('vision', key(), outputs.vision.classification);
  await cache.set('answer', key(), outputs.llm);
  await storeRequest(cache, { sha256: source.sha256, question, locale, visionModel: 'v', llmModel: 'l' }, outputs);
}

/** What a record has in Redis when it rests. */
type Resting = Readonly<Record<string, Buffer>>;

/**
 * Adds finished, archived requests until there are `count`: copies of those that were played, under ids, owners and times of
 * their own, with the fields and index entries that the scripts write. Only the ids inside the packed part stay the first's.
 */
export async function fillUp(
  redis: Redis,
  prefix: string,
  count: number,
  say: (line: string) => void,
): Promise<{ added: number; bytes: number }> {
  const { keys } = createRecordStore({ redis, prefix });
  const played = await readPlayed(redis, keys);
  const before = await usedMemory(redis);
  const there = await redis.zcard(keys.finished);
  const now = Date.now();
  for (let n = there; n < count; n += batch) {
    const pipeline = redis.pipeline();
    for (let i = n; i < Math.min(n + batch, count); i += 1) {
      const fields = played[i % played.length];
      if (!fields) throw new Error('nothing was played');
      const createdAt = now - quietMs - Math.floor((spreadMs * (count - i)) / count);
      const owner = ownerOf(i);
      const id = idAt(createdAt);
      const record = keys.record(id);
      pipeline.hset(record, fields);
      pipeline.pexpire(record, ttlMs);
      pipeline.zadd(keys.owner(owner), createdAt, id);
      pipeline.zadd(keys.finished, createdAt + 5_000, id);
    }
    await pipeline.exec();
    if (n % 100_000 < batch) say(`${n} of ${count} requests`);
  }
  const added = count - there;
  return { added, bytes: added > 0 ? ((await usedMemory(redis)) - before) / added : Number.NaN };
}

async function readPlayed(redis: Redis, keys: RecordStore['keys']): Promise<Resting[]> {
  const ids = await redis.zrange(keys.finished, 0, '-1');
  return await Promise.all(
    ids.map(async (id) => {
      const fields = await redis.hgetallBuffer(keys.record(id));
      if (!fields[archiveField]) throw new Error('a played request is not archived');
      return fields;
    }),
  );
}
