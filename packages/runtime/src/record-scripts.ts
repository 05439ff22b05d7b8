import type { Redis } from 'ioredis';
import { finalStage } from '@bunri/queue-contracts';
import { givingUp } from './give-up-script.ts';
import { referenceMarginMs, referring } from './image-references.ts';
import { closer, counting, emitter, fence, terminal } from './record-script-parts.ts';
import { statisticsTtlMs } from './statistics.ts';
import { turns } from './turn-script.ts';

/** Only deltas can be many, and waits in a long outage; a stream that is cut has lost the oldest of them. */
const mostDeltas = 4000;
const mostWaits = 500;
/** A known answer's picture was looked for this long ago at most. */
const answerKnownMs = 60_000;
/** A stage that took this many workers with it takes no more: each loss costs up to 20 s of the request's time. */
const maxLostRuns = 3;
/**
 * A request that took two workers with it may be what kills them, or have stood beside it. From then on a process runs one
 * such request at a time, so that the next loss tells which it was, and the innocent ones get through.
 */
export const suspectAfter = 2;

/**
 * The transitions of a request's record, one atomic script each; ARCHITECTURE.md has them as a table.
 *
 * Scripts run nine times a request: each gets only the functions that it uses, makes as few calls as it can, and counts in integers,
 * which Redis adds four times as fast. A script answers a list whose first word is the outcome; nothing is written unless that word names the transition.
 */
export const scripts = {
  /** KEYS 2 where the client gave one the idempotency key. ARGV 2 retention ms, 3 request JSON, 4 owner, 5 deadline, 6 created, 7 class,
   * 8 'completed' for a request answered from the cache, 'replay', or '', 9 fingerprint, 10 its ttl ms, 11 the id of the request that it
   * goes on from, which is told of an answer, or '', 12 day of the statistics, 13 the cache entry without which it is new, or '', then
   * field and value pairs: `webhook` first where somebody is to be told of the end, and of the stages that have their output already.
   * Answers the turn, too, and of a request that is queued how many jobs are before it in each queue. */
  accept: `${emitter}${closer(12)}${turns}${referring}${counting}
local claim = ARGV[9] ~= '' and KEYS[2]
local function recordOf(other) return string.sub(rec, 1, -#id - 1) .. other end
local first, answers = recordOf(ARGV[11]), ARGV[11] ~= '' and ARGV[8] ~= 'replay'
local function tellFirst(by)
  -- Of one that is past its retention nothing must come back. What is packed has this field beside the archive.
  if answers and call('EXISTS', first) == 1 then call('HSET', first, 'answeredBy', by) end
end
if claim then
  local claimed = call('HMGET', claim, 'fingerprint', 'id')
  local status = claimed[1] and call('HGET', recordOf(claimed[2]), 'status')
  -- A claim is free again whose request was removed, and that of an answer which came to nothing: the person may try again.
  local isFree = not status or answers and (status == 'failed' or status == 'canceled')
  if not isFree then
    if claimed[1] ~= ARGV[9] then return {'conflict', claimed[2]} end
    tellFirst(claimed[2])
    return {'existing', claimed[2], claimed[2] == id and call('HGET', rec, 'turn') or '0'}
  end
end
if call('EXISTS', rec) == 1 then return {'existing', id, call('HGET', rec, 'turn') or '0'} end
if ARGV[13] ~= '' and call('EXISTS', base .. ARGV[13]) == 1 then return {'known', id} end
local idle = call('ZCARD', deadlines) == 0
if idle and call('SET', base .. 'epoch', now, 'NX') then call('SET', imageKey('since'), 0) end
local fields = {'request', ARGV[3], 'deadlineAt', ARGV[5], 'readyAt', now, unpack(ARGV, 14)}
local image = imageIn(fields)
if image and ARGV[8] == 'completed' and unstored(image, now - ${answerKnownMs}) then return {'unstored', id} end
if ARGV[11] ~= '' and (call('EXISTS', first) == 0 or call('HEXISTS', first, 'deleting') == 1) then return {'unstored', id} end
if image then refer(image, ARGV[5] - now + ARGV[2] + ${referenceMarginMs}) end
local function write(...)
  for i = 1, select('#', ...) do fields[#fields + 1] = (select(i, ...)) end
  call('HSET', rec, unpack(fields))
end
tellFirst(id)
call('ZADD', base .. 'owner:' .. ARGV[4], ARGV[6], id)
if claim then
  call('HSET', claim, 'fingerprint', ARGV[9], 'id', id)
  call('PEXPIRE', claim, ARGV[10])
  fields[#fields + 1], fields[#fields + 2] = 'claim', string.match(claim, '[^:]*$')
end
if call('HINCRBY', statistics, 'accepted', 1) == 1 then call('PEXPIRE', statistics, ${statisticsTtlMs}) end
emit(1, 'accepted', '{}')
if ARGV[8] == 'completed' then
  write('status', 'completed', 'completedAt', now, 'seq', 2)
  call('HINCRBY', statistics, 'cached', 1)
  close(2, 'completed', '{"cached":true}', ARGV[2], ARGV[14] == 'webhook')
  return {'accepted', id, '0'}
end
local turn = nextTurn(base .. 'turns', ARGV[7], ARGV[4], idle)
write('status', 'queued', 'seq', 1, 'class', ARGV[7], 'turn', turn)
call('ZADD', deadlines, ARGV[5], id)
call('ZADD', base .. 'unqueued', now, id)
return {'accepted', id, tostring(turn), before(ARGV[7], turn)}`,

  /** At the final stage a class has come to the turn of what reaches the end of the pipeline, wherever its requests pile up.
   * ARGV 2 stage, 3 token, 4 generation, 5 'held' where the process has a suspect already,
   * then the stages whose outputs the stage reads. A run that finds another one still running counts that one as lost,
   * unless its process is the same, which then evidently lives. */
  start: `${emitter}${terminal}
local stage, token = ARGV[2], ARGV[3]
local outputs = {}
for i = 6, #ARGV do outputs[#outputs + 1] = ARGV[i] .. '.output' end
local state = call('HMGET', rec, 'status', 'deadlineAt', stage .. '.status', 'request', 'readyAt', 'generation', stage .. '.lost', stage .. '.token',
  'seq', stage .. '.attempts', 'class', 'turn', unpack(outputs))
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if (state[6] or '0') ~= ARGV[4] then return {'void'} end
if state[3] == 'completed' or state[3] == 'failed' then return {'done'} end
if tonumber(state[2]) <= tonumber(now) then return {'late'} end
local lost = tonumber(state[7] or 0)
local function processOf(run) return string.match(run or '', '^[^:]*') end
if state[3] == 'running' and processOf(state[8]) ~= processOf(token) then
  lost = call('HINCRBY', rec, stage .. '.lost', 1)
end
if lost >= ${maxLostRuns} then return {'worn'} end
local function started(attempt)
  local reply = {'started', tostring(attempt), state[5], state[4], tostring(lost)}
  for i = 1, #outputs do reply[#reply + 1] = state[12 + i] or '' end
  return reply
end
-- Asked again by the run that has it: after a lost answer, or since the answer has grown old.
if state[3] == 'running' and state[8] == token then return started(state[10]) end
if lost >= ${suspectAfter} and ARGV[5] == 'held' then
  call('HSET', rec, stage .. '.status', 'pending')
  return {'isolated'}
end
if stage == '${finalStage}' and state[12] and tonumber(state[12]) > tonumber(call('HGET', base .. 'turns', state[11]) or 0) then
  call('HSET', base .. 'turns', state[11], state[12])
end
local seq, attempt = tonumber(state[9]) + 1, tonumber(state[10] or 0) + 1
call('HSET', rec, 'status', 'running', 'seq', seq, stage .. '.status', 'running', stage .. '.token', token,
  stage .. '.startedAt', now, stage .. '.attempts', attempt)
if state[1] == 'queued' then call('ZREM', base .. 'unqueued', id) end
emit(seq, 'stage.started', '{"stage":"' .. stage .. '","attempt":' .. attempt .. '}')
return started(attempt)`,

  /** ARGV 2 stage, 3 token, 4 duration ms, 5 cached 1 or 0, 6 output JSON, 7 retention ms of a request that ends with this
   * stage, else '', 8 retention ms where the output names a stored picture, else '', 9 day of the statistics, then counter and
   * amount pairs. */
  finish: `${emitter}${terminal}${fence}${closer(9)}${referring}
local image = ARGV[8] ~= '' and imageOf(ARGV[6])
if image then
  local times = call('HMGET', rec, stage .. '.startedAt', 'deadlineAt')
  if unstored(image, tonumber(times[1])) then return {'unstored'} end
  refer(image, times[2] - now + ARGV[8] + ${referenceMarginMs})
end
local fields = {stage .. '.status', 'completed', stage .. '.durationMs', ARGV[4], stage .. '.cached', ARGV[5], stage .. '.output', ARGV[6]}
if ARGV[7] == '' then
  call('HSET', rec, 'seq', seq, 'readyAt', now, unpack(fields))
else
  call('HSET', rec, 'seq', seq + 1, 'status', 'completed', 'completedAt', now, unpack(fields))
end
for i = 10, #ARGV, 2 do call('HINCRBY', statistics, ARGV[i], ARGV[i + 1]) end
local cached = ARGV[5] == '1' and 'true' or 'false'
emit(seq, 'stage.completed', '{"stage":"' .. stage .. '","duration_ms":' .. ARGV[4] .. ',"cached":' .. cached .. '}')
if ARGV[7] ~= '' then close(seq + 1, 'completed', '{}', ARGV[7], state[5]) end
return {'finished'}`,

  /** The run ends without a result and the stage waits again. ARGV 2 stage, 3 token, 4 event, 5 its data,
   * 6 what to take back from the attempts: 1 when the run does not count, else 0. */
  yield: `${emitter}${terminal}${fence}
call('HSET', rec, stage .. '.status', 'pending', 'readyAt', now, 'seq', seq)
if ARGV[6] ~= '0' then call('HINCRBY', rec, stage .. '.attempts', '-' .. ARGV[6]) end
emit(seq, ARGV[4], ARGV[5])
call('XTRIM', ev, 'MAXLEN', '~', ${mostWaits})
return {'yielded'}`,

  giveUp: `${emitter}${terminal}${givingUp}`,

  /** ARGV 2 stage, 3 token, 4 data of the event. */
  delta: `${emitter}${terminal}${fence}
call('HSET', rec, 'seq', seq)
emit(seq, 'answer.delta', ARGV[4])
call('XTRIM', ev, 'MAXLEN', '~', ${mostDeltas})
return {'emitted'}`,

  /** Ends an open request without an answer. ARGV 2 retention ms, 3 failed or canceled, 4 error JSON or '',
   * 5 stage or '', 6 token or '' (with one, only that run may end the request), 7 code of the statistics or '',
   * 8 control channel, 9 what to tell the workers on it or '', 10 generation or '' (with one, only while the request has
   * not been retried since), 11 'overdue' or '' (only a request past its deadline), 12 retention ms of dead letters where an
   * operator may retry it, else '', 13 how many there may be: beyond that it is one of the finished, 14 day of the statistics. */
  end: `${emitter}${terminal}${closer(14)}${referring}
local stage = ARGV[5]
local state = call('HMGET', rec, 'status', stage .. '.token', 'generation', 'deadlineAt', 'class', '${finalStage}.startedAt', 'request', 'seq', 'webhook')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if ARGV[6] ~= '' and state[2] ~= ARGV[6] then return {'fenced'} end
if ARGV[10] ~= '' and (state[3] or '0') ~= ARGV[10] then return {'fenced'} end
if ARGV[11] == 'overdue' and tonumber(state[4]) > tonumber(now) then return {'fenced'} end
local seq = tonumber(state[8]) + 1
call('HSET', rec, 'status', ARGV[3], 'completedAt', now, 'seq', seq)
if ARGV[4] ~= '' then call('HSET', rec, 'error', ARGV[4]) end
if stage ~= '' then call('HSET', rec, stage .. '.status', 'failed') end
if ARGV[7] ~= '' then call('HINCRBY', statistics, 'failed:' .. ARGV[7], 1) end
call('ZREM', base .. 'unqueued', id)
-- Its turn came to nothing: the owner gets it back.
if not state[6] and state[5] then
  local read, request = pcall(cjson.decode, state[7])
  local owner = read and request.owner and state[5] .. ':' .. request.owner
  local given = base .. 'turns'
  if owner and tonumber(call('HGET', given, owner) or 0) > 0 then call('HINCRBY', given, owner, -1) end
end
local retention = ARGV[2]
if ARGV[12] ~= '' and call('ZCARD', base .. 'dead') < tonumber(ARGV[13]) then
  finished, retention = base .. 'dead', ARGV[12]
end
local image = imageOf(call('HGET', rec, 'preprocess.output') or '')
if image then refer(image, retention + ${referenceMarginMs}) end
close(seq, ARGV[3], ARGV[4] ~= '' and ARGV[4] or '{}', retention, state[9])
if ARGV[9] ~= '' then call('PUBLISH', ARGV[8], ARGV[9] .. ' ' .. id) end
return {'ended'}`,

  /** Takes a request out of the indexes of open ones, unless it is open. */
  drop: `${emitter}
local status = call('HGET', rec, 'status')
if status == 'queued' or status == 'running' then return {'open'} end
call('ZREM', base .. 'deadlines', id)
call('ZREM', base .. 'unqueued', id)
return {'dropped'}`,

  /** Opens a request again under a new generation, whose jobs alone count from then on: a failed one that is retried, or an
   * open one whose jobs are gone. ARGV 2 request JSON, 3 deadline, 4 owner, 5 class,
   * 6 generation, 7 the status that it must have, or 'open', 8 event, 9 its data, 10 retention ms, 11 day of the statistics, then the stages that have to run.
   * Answers the new generation and the turn. */
  reopen: `${emitter}${terminal}${turns}${referring}
local deadlines = base .. 'deadlines'
local state = call('HMGET', rec, 'status', 'generation', 'seq', 'archive', 'deleting')
if not state[1] then return {'gone'} end
-- What is packed, or on its way out, cannot run again.
if state[4] or state[5] then return {'closed', state[1]} end
local status = terminal(state[1]) and state[1] or 'open'
if status ~= ARGV[7] then return {'closed', state[1]} end
if (state[2] or '0') ~= ARGV[6] then return {'fenced'} end
local generation, seq = tonumber(ARGV[6]) + 1, tonumber(state[3]) + 1
local turn = nextTurn(base .. 'turns', ARGV[5], ARGV[4], call('ZCARD', deadlines) == 0)
call('HSET', rec, 'status', 'queued', 'request', ARGV[2], 'deadlineAt', ARGV[3], 'readyAt', now, 'seq', seq,
  'generation', generation, 'class', ARGV[5], 'turn', turn)
call('HDEL', rec, 'error', 'completedAt')
for i = 12, #ARGV do
  call('HSET', rec, ARGV[i] .. '.status', 'pending')
  call('HDEL', rec, ARGV[i] .. '.token', ARGV[i] .. '.error')
  if status == 'failed' then call('HDEL', rec, ARGV[i] .. '.lost') end
end
if status == 'open' then call('HINCRBY', rec, ARGV[12] .. '.lost', 1) end
local image = imageOf(call('HGET', rec, 'preprocess.output') or '')
if image then refer(image, ARGV[3] - now + ARGV[10] + ${referenceMarginMs}) end
call('PERSIST', rec)
call('PERSIST', ev)
call('ZREM', base .. 'finished', id)
call('ZREM', base .. 'dead', id)
call('ZADD', deadlines, ARGV[3], id)
call('ZADD', base .. 'unqueued', now, id)
if status == 'failed' then call('HINCRBY', base .. 'statistics:' .. ARGV[11], 'retried', 1) end
emit(seq, ARGV[8], ARGV[9])
return {'reopened', tostring(generation), tostring(turn)}`,
} as const;

export type ScriptName = keyof typeof scripts;
export type ScriptRunner = (
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<string[]>;

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
