import type { Redis } from 'ioredis';
import { statisticsTtlMs } from './statistics.ts';

/** Only deltas can be many, and waits in a long outage; a stream that is cut has lost the oldest of them. */
const mostDeltas = 4000;
const mostWaits = 500;

/**
 * The transitions of a request's record, one atomic script each; ARCHITECTURE.md has them as a table.
 *
 * KEYS 1 record, 2 event stream (its name is the Pub/Sub channel too), and of those that close a request or count:
 * 3 statistics of the day, 4 deadlines, 5 unqueued, 6 finished. ARGV 1 id, 2 now, '' for Redis's own clock. Scripts run nine times a request: each
 * gets only the keys and the functions that it uses, and counters are integers, which Redis adds four times as fast.
 * A script answers a list whose first word is the outcome; nothing is written unless that word names the transition.
 */
const emitter = `
local rec, ev, id, now = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local call = redis.call
if now == '' then
  local time = call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
local function emit(kind, data)
  local seq = call('HINCRBY', rec, 'seq', 1)
  call('XADD', ev, seq .. '-0', 'type', kind, 'at', now, 'data', data)
  call('PUBLISH', ev, seq .. ' ' .. kind .. ' ' .. now .. ' ' .. data)
end
`;

const terminal = `
local function terminal(status)
  return status == 'completed' or status == 'failed' or status == 'canceled'
end
`;

const closer = `
local finished = KEYS[6]
local function close(status, data, retention)
  call('HSET', rec, 'status', status, 'completedAt', now)
  call('ZREM', KEYS[4], id)
  call('ZREM', KEYS[5], id)
  call('ZADD', finished, now, id)
  call('HINCRBY', KEYS[3], status, 1)
  emit(status, data)
  call('PEXPIRE', rec, retention)
  call('PEXPIRE', ev, retention)
end
`;

/**
 * Gives out turns, by start-time fair queueing (Goyal, Vin and Cheng, 1996): a request's turn is its owner's next one, or
 * the one that its class has come to, whichever is later. So an owner with a long line does not stand before one with a
 * short line. With nothing open the turns begin anew.
 */
const turns = `
local function nextTurn(turns, class, owner)
  if call('ZCARD', KEYS[4]) == 0 then call('DEL', turns) end
  local reached = call('HMGET', turns, class, class .. ':' .. owner)
  local turn = math.max(tonumber(reached[1] or 0), tonumber(reached[2] or 0))
  call('HSET', turns, class .. ':' .. owner, turn + 1)
  call('HSET', rec, 'class', class, 'turn', turn)
  return turn
end
`;

/** The stage's fence: a run may write only while it is the latest run of its stage and the request is open. */
const fence = `
local stage, token = ARGV[3], ARGV[4]
local state = call('HMGET', rec, 'status', stage .. '.token', stage .. '.status')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if state[2] ~= token or state[3] ~= 'running' then return {'fenced'} end
`;

export const scripts = {
  /** KEYS 7 owner index, 8 idempotency key, 9 turns, 10 epoch. ARGV 3 retention ms, 4 request JSON, 5 owner, 6 deadline,
   * 7 created, 8 fingerprint or '', 9 its ttl ms, 10 class, 11 'completed' for a request answered from the cache, else '',
   * then field and value pairs of the stages that have their output already. Answers the turn, too. */
  accept: `${emitter}${closer}${turns}
if ARGV[8] ~= '' then
  local claimed = call('HMGET', KEYS[8], 'fingerprint', 'id')
  -- A claim whose request was removed is free again.
  if claimed[1] and call('EXISTS', string.sub(rec, 1, -#id - 1) .. claimed[2]) == 1 then
    return {claimed[1] == ARGV[8] and 'existing' or 'conflict', claimed[2]}
  end
end
if call('EXISTS', rec) == 1 then return {'existing', id, call('HGET', rec, 'turn') or '0'} end
call('SET', KEYS[10], now, 'NX')
call('HSET', rec, 'status', 'queued', 'seq', 0, 'request', ARGV[4], 'deadlineAt', ARGV[6], 'readyAt', now)
if ARGV[12] then call('HSET', rec, unpack(ARGV, 12)) end
call('ZADD', KEYS[7], ARGV[7], id)
if ARGV[8] ~= '' then
  call('HSET', KEYS[8], 'fingerprint', ARGV[8], 'id', id)
  call('PEXPIRE', KEYS[8], ARGV[9])
end
call('HINCRBY', KEYS[3], 'accepted', 1)
call('PEXPIRE', KEYS[3], ${statisticsTtlMs})
emit('accepted', '{}')
if ARGV[11] == 'completed' then
  call('HINCRBY', KEYS[3], 'cached', 1)
  close('completed', '{"cached":true}', ARGV[3])
  return {'accepted', id, '0'}
end
local turn = nextTurn(KEYS[9], ARGV[10], ARGV[5])
call('ZADD', KEYS[4], ARGV[6], id)
call('ZADD', KEYS[5], now, id)
return {'accepted', id, tostring(turn)}`,

  /** KEYS 3 unqueued, and of the final stage 4 turns: a class has come to the turn of what reaches the end of the pipeline,
   * wherever its requests pile up. ARGV 3 stage, 4 token, 5 generation, 6 most runs that may be lost, 7 how many make a
   * suspect, 8 'held' where the process has one already, then the stages whose outputs the stage reads. A run that finds
   * another one still running counts that one as lost, unless its process is the same, which then evidently lives. */
  start: `${emitter}${terminal}
local stage, token = ARGV[3], ARGV[4]
local state = call('HMGET', rec, 'status', 'deadlineAt', stage .. '.status', 'request', 'readyAt', 'generation', stage .. '.lost', stage .. '.token')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if (state[6] or '0') ~= ARGV[5] then return {'void'} end
if state[3] == 'completed' then return {'done'} end
if tonumber(state[2]) <= tonumber(now) then return {'late'} end
local lost = tonumber(state[7] or 0)
local function processOf(run) return string.match(run or '', '^[^:]*') end
if state[3] == 'running' and processOf(state[8]) ~= processOf(token) then
  lost = call('HINCRBY', rec, stage .. '.lost', 1)
end
if lost >= tonumber(ARGV[6]) then return {'worn'} end
if lost >= tonumber(ARGV[7]) and ARGV[8] == 'held' then
  call('HSET', rec, stage .. '.status', 'pending')
  return {'isolated'}
end
if KEYS[4] then
  local place = call('HMGET', rec, 'class', 'turn')
  if place[2] and tonumber(place[2]) > tonumber(call('HGET', KEYS[4], place[1]) or 0) then
    call('HSET', KEYS[4], place[1], place[2])
  end
end
local attempt = call('HINCRBY', rec, stage .. '.attempts', 1)
call('HSET', rec, 'status', 'running', stage .. '.status', 'running', stage .. '.token', token, stage .. '.startedAt', now)
if state[1] == 'queued' then call('ZREM', KEYS[3], id) end
emit('stage.started', '{"stage":"' .. stage .. '","attempt":' .. attempt .. '}')
local reply = {'started', tostring(attempt), state[5], state[4], tostring(lost)}
for i = 9, #ARGV do reply[#reply + 1] = call('HGET', rec, ARGV[i] .. '.output') or '' end
return reply`,

  /** ARGV 3 stage, 4 token, 5 duration ms, 6 cached 1 or 0, 7 output JSON, 8 retention ms of a request that ends with this
   * stage, else '', then counter and amount pairs. */
  finish: `${emitter}${terminal}${fence}${closer}
call('HSET', rec, stage .. '.status', 'completed', stage .. '.durationMs', ARGV[5], stage .. '.cached', ARGV[6],
  stage .. '.output', ARGV[7], 'readyAt', now)
for i = 9, #ARGV, 2 do call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end
local cached = ARGV[6] == '1' and 'true' or 'false'
emit('stage.completed', '{"stage":"' .. stage .. '","duration_ms":' .. ARGV[5] .. ',"cached":' .. cached .. '}')
if ARGV[8] ~= '' then close('completed', '{}', ARGV[8]) end
return {'finished'}`,

  /** The run ends without a result and the stage waits again. ARGV 3 stage, 4 token, 5 event, 6 its data,
   * 7 what to take back from the attempts: 1 when the run does not count, else 0. */
  yield: `${emitter}${terminal}${fence}
call('HSET', rec, stage .. '.status', 'pending', 'readyAt', now)
if ARGV[7] ~= '0' then call('HINCRBY', rec, stage .. '.attempts', '-' .. ARGV[7]) end
emit(ARGV[5], ARGV[6])
call('XTRIM', ev, 'MAXLEN', '~', ${mostWaits})
return {'yielded'}`,

  /** ARGV 3 stage, 4 token, 5 data of the event. */
  delta: `${emitter}${terminal}${fence}
emit('answer.delta', ARGV[5])
call('XTRIM', ev, 'MAXLEN', '~', ${mostDeltas})
return {'emitted'}`,

  /** Ends an open request without an answer. KEYS 7 turns, and 8 the index of dead letters for what an operator may retry,
   * unless that is full: then it is one of the finished. ARGV
   * 3 retention ms, 4 failed or canceled, 5 error JSON or '', 6 stage or '', 7 token or '' (with one, only that run may end
   * the request), 8 code of the statistics or '', 9 control channel, 10 what to tell the workers on it or '',
   * 11 generation or '' (with one, only while the request has not been retried since), 12 'overdue' or '' (only a request
   * past its deadline), 13 retention ms of dead letters, 14 how many there may be, 15 the final stage. */
  end: `${emitter}${terminal}${closer}
local stage = ARGV[6]
local state = call('HMGET', rec, 'status', stage .. '.token', 'generation', 'deadlineAt', 'class', ARGV[15] .. '.startedAt', 'request')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if ARGV[7] ~= '' and state[2] ~= ARGV[7] then return {'fenced'} end
if ARGV[11] ~= '' and (state[3] or '0') ~= ARGV[11] then return {'fenced'} end
if ARGV[12] == 'overdue' and tonumber(state[4]) > tonumber(now) then return {'fenced'} end
if ARGV[5] ~= '' then call('HSET', rec, 'error', ARGV[5]) end
if stage ~= '' then call('HSET', rec, stage .. '.status', 'failed') end
if ARGV[8] ~= '' then call('HINCRBY', KEYS[3], 'failed:' .. ARGV[8], 1) end
-- Its turn came to nothing: the owner gets it back.
if not state[6] and state[5] then
  local read, request = pcall(cjson.decode, state[7])
  local owner = read and request.owner and state[5] .. ':' .. request.owner
  if owner and tonumber(call('HGET', KEYS[7], owner) or 0) > 0 then call('HINCRBY', KEYS[7], owner, -1) end
end
local retention = ARGV[3]
if KEYS[8] and call('ZCARD', KEYS[8]) < tonumber(ARGV[14]) then
  finished, retention = KEYS[8], ARGV[13]
end
close(ARGV[4], ARGV[5] ~= '' and ARGV[5] or '{}', retention)
if ARGV[10] ~= '' then call('PUBLISH', ARGV[9], ARGV[10] .. ' ' .. id) end
return {'ended'}`,

  /** Takes a request out of the indexes of open ones, unless it is open. KEYS 3 deadlines, 4 unqueued. */
  drop: `local state = redis.call('HGET', KEYS[1], 'status')
if state == 'queued' or state == 'running' then return {'open'} end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return {'dropped'}`,

  /** Opens a request again under a new generation, whose jobs alone count from then on: a failed one that is retried, or an
   * open one whose jobs are gone. KEYS 7 dead letters, 8 turns. ARGV 3 request JSON, 4 deadline, 5 owner, 6 class,
   * 7 generation, 8 the status that it must have, or 'open', 9 event, 10 its data, then the stages that have to run.
   * Answers the new generation and the turn. */
  reopen: `${emitter}${terminal}${turns}
local state = call('HMGET', rec, 'status', 'generation')
if not state[1] then return {'gone'} end
local status = terminal(state[1]) and state[1] or 'open'
if status ~= ARGV[8] then return {'closed', state[1]} end
if (state[2] or '0') ~= ARGV[7] then return {'fenced'} end
local generation = call('HINCRBY', rec, 'generation', 1)
call('HDEL', rec, 'error', 'completedAt')
for i = 11, #ARGV do
  call('HSET', rec, ARGV[i] .. '.status', 'pending')
  call('HDEL', rec, ARGV[i] .. '.token')
  if status == 'failed' then call('HDEL', rec, ARGV[i] .. '.lost') end
end
if status == 'open' then call('HINCRBY', rec, ARGV[11] .. '.lost', 1) end
call('HSET', rec, 'status', 'queued', 'request', ARGV[3], 'deadlineAt', ARGV[4], 'readyAt', now)
call('PERSIST', rec)
call('PERSIST', ev)
local turn = nextTurn(KEYS[8], ARGV[6], ARGV[5])
call('ZREM', KEYS[6], id)
call('ZREM', KEYS[7], id)
call('ZADD', KEYS[4], ARGV[4], id)
call('ZADD', KEYS[5], now, id)
if status == 'failed' then call('HINCRBY', KEYS[3], 'retried', 1) end
emit(ARGV[9], ARGV[10])
return {'reopened', tostring(generation), tostring(turn)}`,
} as const;

export type ScriptName = keyof typeof scripts;
export type ScriptRunner = (name: ScriptName, keys: string[], args: (string | number)[]) => Promise<string[]>;

/** Registers the scripts on a client and gives a typed way to run them (EVALSHA, with EVAL after a script flush). */
export function scriptRunner(redis: Redis): ScriptRunner {
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(`bunri_${name}`, { lua });
  const commands = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<string[]>>;
  return async (name, keys, args) => {
    const command = commands[`bunri_${name}`];
    if (!command) throw new Error(`script ${name} is not registered`);
    return await command.call(redis, keys.length, ...keys, ...args);
  };
}
