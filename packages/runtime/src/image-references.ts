import type { Redis } from 'ioredis';
import type { Keys } from './keys.ts';
import { oneOf } from './record-outcomes.ts';

/**
 * Which requests refer to an object of the bucket: a sorted set of their ids by the time of the reference, so that who
 * deletes a request knows whether its picture is another's, too. It may err on one side only. What it does not know is
 * kept; an id counts while its record exists, or for ten minutes without one, since it is written before the record of a
 * request that names an upload. Beside ids it has `many`, in place of the ids beyond a hundred; `result …`, what was made
 * of the picture and is kept for reuse, by the negative time, so that the old ones can be told from ids; `gone`, by the
 * time up to which what was stored may have been removed; and `by …`, who removes it, by the time at which that must be over.
 */
const mostIds = 100;
const recordPendingMs = 600_000;
/** Longer than the calls that remove objects may take. */
const removingMs = 300_000;
/** Longer than a stage may take, so that every run that stored before finds it. */
const goneKeptMs = 900_000;
/** How long a request stays at most that was accepted before references were kept: open, then a dead letter for a week. */
const defaultLifeMs = 9 * 24 * 3600_000;
/** Beyond a record's own retention: what an archive lives longer, and room for a late end. */
export const referenceMarginMs = 5 * 3600_000;

/**
 * For scripts that have `rec`, `id`, `now` and `call`. `unstored` tells whether what was stored at that time or earlier
 * may have been removed since.
 */
export const referring = `
local function imageKey(name) return string.sub(rec, 1, -#id - 9) .. 'image:' .. string.sub(name, 1, 32) end
local function imageOf(output) return string.match(output, '"sha256":"(%x+)"') end
local function imageIn(fields)
  for i = 1, #fields, 2 do if fields[i] == 'preprocess.output' then return imageOf(fields[i + 1]) end end
end
local function unstored(name, storedAt)
  local gone = call('ZSCORE', imageKey(name), 'gone')
  return gone and tonumber(gone) >= storedAt
end
local function refer(name, lasts)
  local key = imageKey(name)
  call('ZADD', key, now, call('ZCARD', key) < ${mostIds} and id or 'many')
  if call('PTTL', key) < lasts then call('PEXPIRE', key, string.format('%.0f', lasts)) end
end
`;

const prelude = `
local rec, now = KEYS[1], ARGV[1]
local id, call = string.match(rec, '[^:]*$'), redis.call
if now == '' then
  local time = call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
`;

const scripts = {
  /** ARGV 2 how long, ms, then what it refers to. */
  refer: `${prelude}${referring}
for i = 3, #ARGV do refer(ARGV[i], tonumber(ARGV[2])) end
return {'referred'}`,

  /** From here on nobody opens it again: it is being deleted. */
  mark: `${prelude}
local status = call('HGET', rec, 'status')
if not status then return {'gone'} end
if status == 'queued' or status == 'running' then return {'open'} end
call('HSET', rec, 'deleting', now)
return {'marked'}`,

  /** ARGV 2 what is to be removed, 3 who removes it, 4 how long a picture may have references that nobody has noted, ms, else 0.
   * Answers whether nobody else refers to it, and then the results that were made of it. */
  condemn: `${prelude}${referring}
local key = imageKey(ARGV[2])
if ARGV[4] ~= '0' then
  call('SET', imageKey('since'), now, 'NX')
  if now - call('GET', imageKey('since')) < tonumber(ARGV[4]) then return {'unknown'} end
end
local others, own, results, stale = false, false, {}, {}
if call('ZCARD', key) > 2000 then return {'shared'} end
local entries = call('ZRANGE', key, 0, -1, 'WITHSCORES')
for i = 1, #entries, 2 do
  local member = entries[i]
  if member == id then own = true
  elseif member == 'many' then others = true
  elseif string.sub(member, 1, 7) == 'result ' then results[#results + 1] = string.sub(member, 8)
  elseif member ~= 'gone' and string.sub(member, 1, 3) ~= 'by ' then
    local found = call('EXISTS', string.sub(rec, 1, -#id - 1) .. member) == 1
    if found or tonumber(entries[i + 1]) > now - ${recordPendingMs} then others = true else stale[#stale + 1] = member end
  end
end
if #stale > 0 then call('ZREM', key, unpack(stale)) end
if not own then return {'unknown'} end
if others then return {'shared'} end
call('ZADD', key, now + ${removingMs}, 'gone', now + ${removingMs}, 'by ' .. ARGV[3])
if call('PTTL', key) < ${goneKeptMs} then call('PEXPIRE', key, ${goneKeptMs}) end
return {'free', unpack(results)}`,

  /** KEYS 2 events, 3 dead letters, 4 to 7 other indexes, and where a key made it 8 its claim. ARGV 2 who removes, 3 how many
   * of the next were removed, then those, then what it referred to besides. Answers what else there was. */
  erase: `${prelude}${referring}
local status = call('HGET', rec, 'status')
if status == 'queued' or status == 'running' then return {'open'} end
for i = 4, #ARGV do
  local key = imageKey(ARGV[i])
  call('ZREM', key, id, 'by ' .. ARGV[2])
  local busy = i >= 4 + tonumber(ARGV[3])
  for _, member in ipairs(call('ZRANGEBYSCORE', key, now, '+inf')) do
    busy = busy or string.sub(member, 1, 3) == 'by '
  end
  if not busy then
    call('ZADD', key, now, 'gone')
    if call('ZCARD', key) == 1 then call('PEXPIRE', key, ${goneKeptMs}) end
  end
end
if not status then return {'gone'} end
call('UNLINK', rec, KEYS[2])
local told = {'erased'}
if call('ZREM', KEYS[3], id) == 1 then told[#told + 1] = 'dead_letter' end
for i = 4, 7 do call('ZREM', KEYS[i], id) end
-- The key may have made another request since.
if KEYS[8] and call('HGET', KEYS[8], 'id') == id then
  call('UNLINK', KEYS[8])
  told[#told + 1] = 'claim'
end
return told`,
} as const;

type Run = (name: keyof typeof scripts, id: string, args: (string | number)[], more?: string[]) => Promise<string[]>;

export type ImageReferences = ReturnType<typeof createImageReferences>;

/**
 * What may be removed with a request, and what others refer to. `name`: a picture's hash, or an upload's 32 hex digits;
 * `by`: a name of its own for each deletion, of which several may run at once.
 */
export function createImageReferences(options: {
  redis: Redis;
  keys: Keys;
  /** How long a record lives at most, ms. Default nine days. */
  lifeMs?: number;
  now?: () => number;
}) {
  const { redis, keys, lifeMs = defaultLifeMs, now } = options;
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(`bunri_image_${name}`, { lua });
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<string[]>>;
  const run: Run = async (name, id, args, more = []) => {
    const command = commands[`bunri_image_${name}`];
    if (!command) throw new Error(`script ${name} is not registered`);
    const names = [keys.record(id), ...more];
    return await command.call(redis, names.length, ...names, now?.() ?? '', ...args);
  };

  return {
    /** Notes that the request refers to these, for `lastsMs` at least. Repeating it changes nothing. */
    async refer(id: string, lastsMs: number, names: readonly string[]): Promise<void> {
      await run('refer', id, [lastsMs, ...names]);
    },

    /** Keeps an ended request from being opened again: it is about to be deleted. */
    async mark(id: string): Promise<'marked' | 'open' | 'gone'> {
      return oneOf((await run('mark', id, []))[0], ['marked', 'open', 'gone']);
    },

    /**
     * Whether nobody but this request refers to the object. If so it counts as removed from here on: a stage that has stored
     * it before, and not finished yet, stores it again. `unknown`: nothing is known of it, so that it has to stay; that holds
     * for all pictures while requests may live that an earlier release accepted, which noted nothing.
     */
    async condemn(
      id: string,
      name: string,
      by: string,
    ): Promise<{ outcome: 'free'; results: string[] } | { outcome: 'shared' | 'unknown' }> {
      const isPicture = name.length === 64;
      const [word, ...results] = await run('condemn', id, [name, by, isPicture ? lifeMs : 0]);
      const outcome = oneOf(word, ['free', 'shared', 'unknown']);
      return outcome === 'free' ? { outcome, results: results.map(resultKey) } : { outcome };
    },

    /** Removes results of a picture from the cache, by the names that `condemn` gives. */
    async removeResults(name: string, results: readonly string[]): Promise<void> {
      if (results.length === 0) return;
      const parts = results.map((result) => /^([^:]*):(.*)$/.exec(result) ?? []);
      const redisKeys = parts.map(([, cache = '', key = '']) => keys.cache(cache, key));
      await redis
        .multi()
        .unlink(...redisKeys)
        .zrem(keys.cacheIndex, ...redisKeys)
        .zrem(keys.image(name), ...parts.map(([, cache = '', key = '']) => resultMember(cache, key)))
        .exec();
    },

    /**
     * The last step of a deletion: the record, its events and index entries, its idempotency key, and what it referred to.
     * Where the record is gone, another deletion was faster.
     */
    async erase(
      { id, owner, claim }: { id: string; owner: string; claim?: string | undefined },
      { by, removed, kept }: { by: string; removed: readonly string[]; kept: readonly string[] },
    ): Promise<{ outcome: 'erased'; deadLetter: boolean; claim: boolean } | { outcome: 'open' | 'gone' }> {
      const indexes = [keys.dead, keys.finished, keys.deadlines, keys.unqueued, keys.owner(owner)];
      const names = [keys.events(id), ...indexes, ...(claim === undefined ? [] : [keys.claim(owner, claim)])];
      const [word, ...told] = await run('erase', id, [by, removed.length, ...removed, ...kept], names);
      const outcome = oneOf(word, ['erased', 'open', 'gone']);
      if (outcome !== 'erased') return { outcome };
      return { outcome, deadLetter: told.includes('dead_letter'), claim: told.includes('claim') };
    },
  };
}

/** Short, as there is one for each result of a picture: Redis keeps sets of members up to 64 bytes in a tenth of the room. */
export function resultMember(name: string, key: string): string {
  const short = key.replace(/[0-9a-f]{64}$/, (hex) => `~${Buffer.from(hex, 'hex').toString('base64url')}`);
  return `result ${name}:${short}`;
}

/** `<name>:<key>` as the cache has it. */
function resultKey(short: string): string {
  return short.replace(/~([\w-]{43})$/, (_all, text: string) => Buffer.from(text, 'base64url').toString('hex'));
}
