import type { Redis } from 'ioredis';

/** How long a batch can be read after its end: as long as images are kept by default. */
export const batchRetentionMs = 30 * 24 * 3600 * 1000;

/**
 * The transitions of a batch, one atomic script each. A batch is a hash; beside it are the rows in flight, a byte for how each
 * row ended, and the names of the objects that hold results. KEYS 1 is the batch; ARGV 1 the time, '' for Redis's own clock.
 */
const opening = `
local call, batch, now = redis.call, KEYS[1], tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
now = string.format('%.0f', now)
local function get(field) return call('HGET', batch, field) end
local function count(field) return tonumber(get(field) or '') or 0 end
`;

/** KEYS of what a row in flight belongs to: 2 flight, 3 outcomes, 4 rows in flight of all, 5 results, 6 open. */
export const batchScripts = {
  /** KEYS 2 open, 3 owner, and where the client gave one 4 idempotency key. ARGV 2 id, 3 spec, 4 deadline, 5 fingerprint, 6 its
   * ttl, 7 the batch keys' common beginning, 8 cap in nano-dollars or ''. */
  create: `${opening}
if ARGV[5] ~= '' then
  local claimed = call('HMGET', KEYS[4], 'fingerprint', 'id')
  -- A claim is free again whose batch is gone, is being deleted, or came to nothing because its process died or its client left.
  local first = claimed[1] and call('HMGET', ARGV[7] .. claimed[2], 'status', 'reason', 'deletingAt')
  if first and first[1] and first[2] ~= 'validation_interrupted' and not first[3] then
    if claimed[1] ~= ARGV[5] then return {'conflict', claimed[2]} end
    return {'existing', claimed[2]}
  end
  call('HSET', KEYS[4], 'fingerprint', ARGV[5], 'id', ARGV[2])
  call('PEXPIRE', KEYS[4], ARGV[6])
end
call('HSET', batch, 'spec', ARGV[3], 'status', 'validating', 'createdAt', now, 'seenAt', now, 'deadlineAt', ARGV[4], 'next', 1, 'maxCost', ARGV[8])
call('ZADD', KEYS[2], now, ARGV[2])
call('ZADD', KEYS[3], now, ARGV[2])
return {'created', ARGV[2]}`,

  /** The validation goes on; answers the status. Whatever that is, it has `seenAt` until its validation is over. */
  seen: `${opening}
if get('seenAt') then call('HSET', batch, 'seenAt', now) end
return {get('status') or 'gone'}`,

  /** All rows have been looked at. KEYS 2 outcomes, 3 results. ARGV 2 total, 3 estimate of the whole in nano-dollars or '',
   * 4 of its dearest row, 5 how many rows are invalid, 6 the marks of all rows or '', then chunk and version pairs. */
  begin: `${opening}
call('HDEL', batch, 'seenAt')
if get('deletingAt') then return {'gone'} end
if get('status') ~= 'validating' then return {get('status') or 'gone'} end
if ARGV[6] ~= '' then call('SET', KEYS[2], ARGV[6]) end
for i = 7, #ARGV, 2 do call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
call('HSET', batch, 'status', 'queued', 'total', ARGV[2], 'invalid', ARGV[5], 'estimate', ARGV[3], 'rowEstimate', ARGV[4])
return {'queued'}`,

  /** It comes to nothing. KEYS 2 open, 3 results, and 4 its idempotency key, which is free again. ARGV 2 id, 3 reason,
   * 4 total, 5 invalid, 6 'stale' or '' (only when nobody validates any more), 7 since when, 8 retention ms, then chunk and
   * version pairs of the error file. */
  refuse: `${opening}
if get('status') == 'validating' and ARGV[6] == 'stale' and count('seenAt') > tonumber(ARGV[7]) then return {'validating'} end
if ARGV[6] ~= 'stale' then call('HDEL', batch, 'seenAt') end
if get('deletingAt') then return {'gone'} end
if get('status') ~= 'validating' then return {get('status') or 'gone'} end
call('HSET', batch, 'status', 'failed', 'reason', ARGV[3], 'total', ARGV[4], 'invalid', ARGV[5], 'completedAt', now)
for j = 9, #ARGV, 2 do call('HSET', KEYS[3], ARGV[j], ARGV[j + 1]) end
call('ZREM', KEYS[2], ARGV[2])
if KEYS[4] and call('HGET', KEYS[4], 'id') == ARGV[2] then call('DEL', KEYS[4]) end
call('PEXPIRE', batch, ARGV[8])
call('PEXPIRE', KEYS[3], ARGV[8])
return {'failed'}`,

  /**
   * Rows get the ids of their requests before those are sent, so that a row that is sent again is the same request. A row
   * starts while there is room for it, in flight and under the cap: rows in flight count as the dearest so far, and as
   * estimated at least, since the first to end may have cost nothing. Where nobody can estimate, one row under a cap tells. A
   * batch that found no room counts among those that share it. ARGV 2 id, 3 most in flight of a batch, 4 of all, 5 the row that was to be next, 6 the one that is next once
   * these have started, then rows and request ids.
   */
  claim: `${opening}
local status = get('status')
if status ~= 'queued' and status ~= 'running' then return {status or 'gone'} end
if count('deadlineAt') <= tonumber(now) then return {'late'} end
if get('next') ~= ARGV[5] then return {'fenced'} end
local own, all = call('HLEN', KEYS[2]), 0
local others = call('HVALS', KEYS[4])
for i = 1, #others do all = all + tonumber(others[i]) end
local batches = #others
if call('HEXISTS', KEYS[4], ARGV[2]) == 0 then batches = batches + 1 end
local share = math.min(tonumber(ARGV[3]), math.max(1, math.floor(tonumber(ARGV[4]) / batches)))
local max, cost = tonumber(get('maxCost') or ''), count('cost')
local each = math.max(count('dearest'), count('rowEstimate'))
local blind = max and (get('rowEstimate') or '') == '' and count('completed') == 0
local reply, stop = {'claimed', ''}, ''
local reached = ARGV[6]
for i = 7, #ARGV, 2 do
  local row = tonumber(ARGV[i])
  local ended = call('GETRANGE', KEYS[3], row - 1, row - 1)
  if (ended == '' or ended == '\\0' or ended == 'r') and call('HEXISTS', KEYS[2], row) == 0 then
    if own >= share or all >= tonumber(ARGV[4]) or blind and own > 0 then stop = 'room' end
    if max and cost + (own + 1) * each > max then stop = 'budget' end
    if stop ~= '' then
      reached = row
      break
    end
    call('HSET', KEYS[2], row, ARGV[i + 1])
    own, all = own + 1, all + 1
    reply[#reply + 1] = ARGV[i]
    reply[#reply + 1] = ARGV[i + 1]
  end
end
reply[2] = stop
call('HSET', batch, 'next', reached)
if own > 0 or stop == 'room' then call('HSET', KEYS[4], ARGV[2], own) end
if own > 0 then
  if status == 'queued' then call('HSET', batch, 'status', 'running') end
  call('HSETNX', batch, 'startedAt', now)
end
return reply`,

  /**
   * Rows of one chunk have ended and their results are written. ARGV 2 id, 3 chunk, 4 the version of its results that was
   * read or '', 5 the one that was written, then row, request id, outcome, nano-dollars. Whoever wrote on top of another
   * version than the current one, or of a batch that is gone, has written for nothing. Answers the rows that were counted by this.
   */
  settle: `${opening}
if not get('status') or (call('HGET', KEYS[5], ARGV[3]) or '') ~= ARGV[4] then return {'fenced'} end
call('HSET', KEYS[5], ARGV[3], ARGV[5])
local reply = {'settled'}
for i = 6, #ARGV, 4 do
  local row = ARGV[i]
  if call('HGET', KEYS[2], row) == ARGV[i + 1] then
    call('HDEL', KEYS[2], row)
    call('SETRANGE', KEYS[3], tonumber(row) - 1, ARGV[i + 2] == 'canceled' and 'x' or string.sub(ARGV[i + 2], 1, 1))
    call('HINCRBY', batch, ARGV[i + 2], 1)
    local cost = tonumber(ARGV[i + 3])
    call('HINCRBY', batch, 'cost', ARGV[i + 3])
    if cost > count('dearest') then call('HSET', batch, 'dearest', ARGV[i + 3]) end
    reply[#reply + 1] = row
  end
end
local left = call('HLEN', KEYS[2])
if left > 0 then call('HSET', KEYS[4], ARGV[2], left) else call('HDEL', KEYS[4], ARGV[2]) end
return reply`,

  /** A row turned out to be another request. KEYS 2 flight. ARGV 2 row, 3 id that it had, 4 id. A row that has been settled
   * meanwhile stays out of flight. */
  rename: `${opening}
if call('HGET', KEYS[2], ARGV[2]) ~= ARGV[3] then return {'gone'} end
call('HSET', KEYS[2], ARGV[2], ARGV[4])
return {'renamed'}`,

  /** Ends what has nothing in flight and nothing left to start. ARGV 2 'budget' where the cap leaves no room. Answers the
   * status, and 'rested' where nothing more will happen by itself. */
  rest: `${opening}
local status = get('status')
if not status or status == 'validating' or call('HLEN', KEYS[2]) > 0 then return {status or 'gone', ''} end
if status == 'queued' or status == 'running' then
  if count('completed') + count('failed') + count('canceled') + count('invalid') >= count('total') then
    status = 'completed'
    call('HSET', batch, 'status', status)
  elseif count('deadlineAt') <= tonumber(now) then
    status = 'failed'
    call('HSET', batch, 'status', status, 'reason', 'deadline_exceeded')
  elseif ARGV[2] == 'budget' then
    status = 'paused'
    call('HSET', batch, 'status', status, 'reason', 'paused_budget')
  else
    -- Nothing is left behind the row that was reached: what is missing stands before it.
    if count('next') > count('total') then call('HSET', batch, 'next', 1) end
    return {status, ''}
  end
end
if status ~= 'paused' then call('HSETNX', batch, 'completedAt', now) end
call('HDEL', batch, 'held')
return {status, 'rested'}`,

  /** Nothing more happens by itself. KEYS 7 outbox of webhooks. ARGV 2 id, 3 retention ms, 4 'tell' where somebody wants to know. */
  close: `${opening}
local status = get('status')
if status == 'queued' or status == 'running' or status == 'validating' or call('HLEN', KEYS[2]) > 0 then return {status or 'gone'} end
if not status or not call('ZSCORE', KEYS[6], ARGV[2]) then return {'gone'} end
if get('deletingAt') then return {'gone'} end
call('HDEL', KEYS[4], ARGV[2])
call('ZREM', KEYS[6], ARGV[2])
for _, key in ipairs({batch, KEYS[2], KEYS[3], KEYS[5]}) do call('PEXPIRE', key, ARGV[3]) end
local seq = call('HINCRBY', batch, 'rests', 1)
if ARGV[4] == 'tell' then call('ZADD', KEYS[7], now, 'batch.' .. status .. ' ' .. ARGV[2] .. ' ' .. string.format('%.0f', seq)) end
return {'closed'}`,

  /** Starts no more rows. KEYS 2 open. ARGV 2 id, 3 canceled or paused. */
  stop: `${opening}
local status = get('status')
if not status then return {'gone'} end
if get('deletingAt') then return {'refused', status} end
local stoppable = status == 'queued' or status == 'running'
if ARGV[3] == 'canceled' then stoppable = stoppable or status == 'paused' or status == 'validating' end
if not stoppable then return {'refused', status} end
call('HSET', batch, 'status', ARGV[3])
call('HDEL', batch, 'held')
if ARGV[3] == 'paused' then call('HSET', batch, 'reason', 'paused_by_client') else call('HDEL', batch, 'reason') end
call('ZADD', KEYS[2], 'NX', now, ARGV[2])
return {'stopped'}`,

  /** Goes on with what is not done. ARGV 2 id, 3 'failed' to run failed rows again or '', 4 new cap in nano-dollars or '',
   * 5 time for it, ms. */
  resume: `${opening}
local status = get('status')
if not status then return {'gone'} end
if get('deletingAt') then return {'refused', status} end
local retry = ARGV[3] == 'failed' and count('failed') > 0
local late = status == 'failed' and get('reason') == 'deadline_exceeded'
if not (status == 'paused' or status == 'canceled' or late or status == 'completed' and retry) then return {'refused', status} end
if status == 'canceled' and (call('HLEN', KEYS[2]) > 0 or not get('total')) then return {'refused', status} end
local ended = call('GET', KEYS[3])
if ended then
  local canceled, failed
  ended, canceled = string.gsub(ended, 'x', 'r')
  if canceled > 0 then call('HINCRBY', batch, 'canceled', -canceled) end
  if retry then
    ended, failed = string.gsub(ended, 'f', 'r')
    if failed > 0 then call('HINCRBY', batch, 'failed', -failed) end
  end
  call('SET', KEYS[3], ended)
end
if ARGV[4] ~= '' then call('HSET', batch, 'maxCost', ARGV[4]) end
call('HSET', batch, 'status', 'queued', 'next', 1, 'deadlineAt', string.format('%.0f', tonumber(now) + tonumber(ARGV[5])))
call('HDEL', batch, 'reason', 'completedAt')
for _, key in ipairs({batch, KEYS[2], KEYS[3], KEYS[5]}) do call('PERSIST', key) end
call('ZADD', KEYS[6], now, ARGV[2])
return {'resumed'}`,

  /** From here on it only gets less: no row starts, and nobody goes on with it. KEYS 2 open. ARGV 2 id. */
  condemn: `${opening}
local status = get('status')
if not status then return {'gone'} end
call('HSETNX', batch, 'deletingAt', now)
if status == 'validating' or status == 'queued' or status == 'running' or status == 'paused' then
  call('HSET', batch, 'status', 'canceled')
  call('HDEL', batch, 'held', 'reason')
end
call('ZADD', KEYS[2], 'NX', now, ARGV[2])
return {'condemned'}`,

  /** The requests of a chunk's rows are gone. ARGV 2 how many chunks were done before, 3 how many requests went. Said again,
   * it counts once. */
  emptied: `${opening}
if get('deletingAt') and count('emptied') == tonumber(ARGV[2]) then
  call('HINCRBY', batch, 'emptied', 1)
  call('HINCRBY', batch, 'removed', ARGV[3])
end
return {}`,

  /** Nothing is left of it but this. KEYS 7 owner, 8 the receipt. ARGV 2 id, 3 the receipt, 4 how long it is kept, ms. */
  erase: `${opening}
if not get('deletingAt') or call('HLEN', KEYS[2]) > 0 then return {get('status') or 'gone'} end
call('SET', KEYS[8], ARGV[3], 'PX', ARGV[4])
call('HDEL', KEYS[4], ARGV[2])
call('ZREM', KEYS[6], ARGV[2])
call('ZREM', KEYS[7], ARGV[2])
call('UNLINK', batch, KEYS[2], KEYS[3], KEYS[5])
return {'erased'}`,
} as const;

export type BatchScriptName = keyof typeof batchScripts;
export type BatchScriptRunner = (
  name: BatchScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<string[]>;

/** Registers the scripts on a client and gives a way to run them. */
export function batchScriptRunner(redis: Redis): BatchScriptRunner {
  for (const [name, lua] of Object.entries(batchScripts)) redis.defineCommand(`bunri_batch_${name}`, { lua });
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<string[]>>;
  return async (name, keys, args) => {
    const command = commands[`bunri_batch_${name}`];
    if (!command) throw new Error(`script ${name} is not registered`);
    return await command.call(redis, keys.length, ...keys, ...args);
  };
}
