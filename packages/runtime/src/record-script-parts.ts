import { priorityOf, stageOrder, stages, type Request } from '@bunri/queue-contracts';

/**
 * What the scripts of a record begin with: KEYS 1 record, ARGV 1 now, '' for Redis's own clock. All other keys follow from that of
 * the record, and lie in its slot of a cluster: to send them would be some 400 bytes a request. The name of the event stream is
 * the Pub/Sub channel too.
 */
export const emitter = `
local rec, now = KEYS[1], ARGV[1]
local id, ev = string.match(rec, '[^:]*$'), rec .. ':events'
local base = string.sub(rec, 1, -#id - 9)
local call = redis.call
if now == '' then
  local time = call('TIME')
  now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
local function emit(seq, kind, data)
  call('XADD', ev, seq .. '-0', 'type', kind, 'at', now, 'data', data)
  call('PUBLISH', ev, seq .. ' ' .. kind .. ' ' .. now .. ' ' .. data)
end
`;

export const terminal = `
local function terminal(status)
  return status == 'completed' or status == 'failed' or status == 'canceled'
end
`;

/**
 * For scripts that count, and that close a request; the day of the statistics is the argument of that number. The script itself
 * writes status, completedAt and seq. An end that somebody is to be told of goes into the outbox with it.
 */
export const closer = (dayArgument: number) => `
local statistics, deadlines, finished = base .. 'statistics:' .. ARGV[${dayArgument}], base .. 'deadlines', base .. 'finished'
local function close(seq, status, data, retention, webhook)
  call('ZREM', deadlines, id)
  call('ZADD', finished, now, id)
  call('HINCRBY', statistics, status, 1)
  emit(seq, status, data)
  call('PEXPIRE', rec, retention)
  call('PEXPIRE', ev, retention)
  if webhook then call('ZADD', base .. 'outbox', now, 'classification.' .. status .. ' ' .. id .. ' ' .. seq) end
end
`;

/** The stage's fence: a run may write only while it is the latest run of its stage and the request is open. */
export const fence = `
local stage, token = ARGV[2], ARGV[3]
local state = call('HMGET', rec, 'status', stage .. '.token', stage .. '.status', 'seq', 'webhook')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if state[2] ~= token or state[3] ~= 'running' then return {'fenced'} end
local seq = tonumber(state[4]) + 1
`;

/** The priority of all jobs of a request, by its class and turn. */
export const priorities = (() => {
  const line = (priority: Request['priority']) => {
    const [first, second, last] = [0, 1, Infinity].map((turn) => priorityOf(priority, turn)) as [
      number,
      number,
      number,
    ];
    return `${priority} = {${first}, ${second - first}, ${last}}`;
  };
  return `
local lines = {${line('interactive')}, ${line('batch')}}
local function priorityOf(class, turn)
  local line = lines[class]
  return math.min(line[1] + line[2] * turn, line[3])
end
`;
})();

/** BullMQ's score of a waiting job is its priority times this, plus a running number. */
const scorePerPriority = 2 ** 32;

/**
 * How many jobs a new request of a class stands behind in each queue of the pipeline: all of its turn and before, first in,
 * first out among equals. The score is one above that of its own priority, excluded.
 */
export const counting = `${priorities}
local function before(class, turn)
  local score = string.format('(%.0f', (priorityOf(class, turn) + 1) * ${scorePerPriority})
  local function ahead(queue) return call('ZCOUNT', base .. queue .. ':prioritized', '-inf', score) end
  return ${stageOrder.map((stage) => `ahead('${stages[stage].queue}')`).join(', ')}
end
`;
