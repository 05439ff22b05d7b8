import type { Redis } from 'ioredis';

/**
 * How much of a limit an idle model saves up. Providers' headers promise the whole minute at once, but they may count
 * over a shorter time (OpenAI: 60,000 a minute "may be enforced as 1,000 a second"; Azure looks at 1 and 10 s). Five
 * seconds are a twelfth of a minute's limit: enough to lose nothing in a queue's pause, and far from what a provider
 * that does grant the minute would refuse.
 */
export const burstMs = 5_000;

/**
 * How long a model's state outlives its last use. Levels are full again within minutes; the limits that the provider told
 * should still be known after a quiet night.
 */
const keptMs = 24 * 3600 * 1000;

/** How many calls make the mean of tokens: enough that a few large ones do not move it much, few enough to follow new prompts. */
const callsInMean = 50;

/**
 * KEYS 1 the model's hash. ARGV 1 and 2 the configured requests and tokens a minute, or ''. The time is Redis's own.
 *
 * A level is what may be used at once. It rises by limit / 60,000 a ms, up to the burst, and stands still during a pause.
 * A call is admitted when no level is below zero, and takes all of its size then: so a large call waits no longer than
 * a small one and cannot be starved by it, and a call that is larger than the burst is possible. A level below zero is a
 * reservation: each call that waits has its own time. Nothing owes more than a minute's limit, since after a minute the
 * provider, too, has forgotten. `Spent` counts what was admitted, for the calls that a `remaining` does not know of yet.
 *
 * For those who only look (`model-budget-rate.ts`) the hash tells the limits that hold, the smaller of configured and told,
 * and what a call takes of the tokens: a mean of what was used, by which the last fifty calls or so count, at first an
 * estimate.
 */
const levels = `
local call, key = redis.call, KEYS[1]
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local function number(value) return string.format('%.3f', value) end
local state = call('HMGET', key, 'at', 'pausedUntil', 'requests', 'requestsSpent', 'requestsTold', 'tokens', 'tokensSpent', 'tokensTold', 'requestsLimit', 'tokensLimit', 'calls', 'tokensMean')
local pausedUntil = tonumber(state[2]) or 0
local risenMs = math.max(0, now - math.max(tonumber(state[1]) or now, pausedUntil))
local function open(name, place, configured, limitWas)
  local limit = math.min(tonumber(configured) or math.huge, tonumber(state[place + 2]) or math.huge)
  if limit == math.huge then
    if limitWas then call('HDEL', key, name .. 'Limit') end
    return nil
  end
  local rate = limit / 60000
  local full = rate * ${burstMs}
  local level = math.min(full, (tonumber(state[place]) or full) + rate * risenMs)
  return {name = name, limit = limit, rate = rate, full = full, level = level, spent = tonumber(state[place + 1]) or 0}
end
local function save(bucket)
  if not bucket then return end
  local level = math.max(-bucket.limit, math.min(bucket.full, bucket.level))
  call('HSET', key, 'at', number(now), bucket.name, number(level), bucket.name .. 'Spent', number(bucket.spent), bucket.name .. 'Limit', bucket.limit)
  call('PEXPIRE', key, ${keptMs})
end
`;

const opened = `
local requests, tokens = open('requests', 3, ARGV[1], state[9]), open('tokens', 6, ARGV[2], state[10])
`;

const scripts = {
  /** ARGV 3 tokens, 4 longest wait ms. Answers 'admitted', 'paused' or 'spent', the wait ms, now, then the level after it
   * and the sum spent, of requests and of tokens, '' where there is no limit. */
  admit: `${levels}${opened}
local pauseMs, waitMs = math.max(0, pausedUntil - now), 0
if requests then waitMs = math.max(waitMs, -requests.level / requests.rate) end
if tokens then waitMs = math.max(waitMs, -tokens.level / tokens.rate) end
waitMs = waitMs + pauseMs
local outcome = 'admitted'
if waitMs > tonumber(ARGV[4]) then outcome = pauseMs > 0 and 'paused' or 'spent' end
local function take(bucket, amount)
  if not bucket or outcome ~= 'admitted' then return end
  bucket.level, bucket.spent = bucket.level - amount, bucket.spent + amount
  save(bucket)
end
take(requests, 1)
take(tokens, tonumber(ARGV[3]))
if tokens and outcome == 'admitted' and not state[12] then call('HSET', key, 'tokensMean', ARGV[3]) end
local reply = {outcome, number(waitMs), number(now)}
for _, bucket in ipairs({requests or {}, tokens or {}}) do
  reply[#reply + 1] = bucket.level and number(bucket.level) or ''
  reply[#reply + 1] = bucket.spent and number(bucket.spent) or ''
end
return reply`,

  /** A call that was admitted is not made. ARGV 3 tokens. */
  giveBack: `${levels}${opened}
local function back(bucket, amount)
  if not bucket then return end
  bucket.level, bucket.spent = bucket.level + amount, bucket.spent - amount
  save(bucket)
end
back(requests, 1)
back(tokens, tonumber(ARGV[3]))
return 1`,

  /**
   * ARGV 3 tokens used beyond the estimate, 4 tokens estimated, 5 when the call was admitted; then of requests and of
   * tokens: the sum spent when it was admitted or '', the limit told ('' for not told, 0 for one that is not of a
   * minute), what remains or ''.
   *
   * What remains can only lower a level, and by what was admitted after this call too, which the provider may not have
   * counted; what has risen since pays for that first. One call of this one's size is left in reserve: at a level of zero
   * the next one goes, and it must fit.
   */
  settle: `${levels}
local function adopt(name, place, told)
  if told == '' then return end
  if tonumber(told) > 0 then
    state[place + 2] = told
    call('HSET', key, name .. 'Told', told)
    call('PEXPIRE', key, ${keptMs})
  elseif state[place + 2] then
    state[place + 2] = false
    call('HDEL', key, name .. 'Told')
  end
end
adopt('requests', 3, ARGV[7])
adopt('tokens', 6, ARGV[10])
${opened}
local function correct(bucket, beyond, size, spentThen, remaining)
  if not bucket then return end
  bucket.level = bucket.level - beyond
  if remaining ~= '' then
    local uncounted = bucket.spent - (tonumber(spentThen) or bucket.spent) - bucket.rate * (now - ARGV[5])
    bucket.level = math.min(bucket.level, remaining - math.max(0, uncounted) - size)
  end
  save(bucket)
end
correct(requests, 0, 1, ARGV[6], ARGV[8])
correct(tokens, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[9], ARGV[11])
if tokens and tonumber(ARGV[3]) ~= 0 then
  local calls, used, mean = math.min((state[11] or 0) + 1, ${callsInMean}), ARGV[3] + ARGV[4], state[12] or 0
  call('HSET', key, 'calls', calls, 'tokensMean', number(mean + (used - mean) / calls))
end
return 1`,

  /**
   * ARGV 3 pause ms. The longest pause wins. After it nothing is saved up: a provider that asks to wait has nothing left,
   * and everybody who waited must not come at once.
   */
  pause: `${levels}${opened}
local endsAt = now + ARGV[3]
if endsAt <= pausedUntil then return 0 end
call('HSET', key, 'pausedUntil', number(endsAt))
call('PEXPIRE', key, ${keptMs})
for _, bucket in ipairs({requests or {}, tokens or {}}) do
  if bucket.level then
    bucket.level = math.min(bucket.level, 0)
    save(bucket)
  end
end
return 1`,
} as const;

type Argument = string | number;

export interface BudgetScripts {
  admit(key: string, ...args: Argument[]): Promise<string[]>;
  giveBack(key: string, ...args: Argument[]): Promise<unknown>;
  settle(key: string, ...args: Argument[]): Promise<unknown>;
  pause(key: string, ...args: Argument[]): Promise<unknown>;
}

/** Registers the scripts on a client; each changes one model's hash atomically. */
export function budgetScripts(redis: Redis): BudgetScripts {
  for (const [name, lua] of Object.entries(scripts)) {
    redis.defineCommand(`bunri_budget_${name}`, { lua, numberOfKeys: 1 });
  }
  const commands = redis as unknown as Record<string, (...args: Argument[]) => Promise<unknown>>;
  const command = async (name: keyof typeof scripts, args: Argument[]): Promise<unknown> => {
    const run = commands[`bunri_budget_${name}`];
    if (!run) throw new Error(`script ${name} is not registered`);
    return await run.apply(redis, args);
  };
  return {
    admit: async (...args) => (await command('admit', args)) as string[],
    giveBack: async (...args) => await command('giveBack', args),
    settle: async (...args) => await command('settle', args),
    pause: async (...args) => await command('pause', args),
  };
}
