/**
 * The log of deliveries, one hash an event and one index an owner and status. The members of an index are
 * `<epoch ms, 13 digits>:<event id>`, so that their order is that of time. The names of an owner's other deliveries follow
 * from that of this one, and lie in its slot of a cluster.
 */
const names = `
local call = redis.call
local base = string.match(KEYS[1], '^(.*:)[^:]*$')
local index = {all = KEYS[2], pending = KEYS[3], delivered = KEYS[4], failed = KEYS[5]}
local id = string.match(KEYS[1], '[^:]*$')
`;

export const deliveryScripts = {
  /** ARGV 1 time of the event, 13 digits, 2 before what time all is forgotten, likewise, 3 retention ms, 4 how many an owner
   * may have, then field and value pairs. Opening it again changes nothing. */
  open: `${names}
if call('EXISTS', KEYS[1]) == 1 then return 0 end
local fields = {unpack(ARGV, 5)}
call('HSET', KEYS[1], 'status', 'pending', 'at', ARGV[1], 'attempts', 0, unpack(fields))
call('PEXPIRE', KEYS[1], ARGV[3])
for _, name in ipairs({'all', 'pending'}) do
  call('ZADD', index[name], 0, ARGV[1] .. ':' .. id)
  call('PEXPIRE', index[name], ARGV[3])
end
for _, key in pairs(index) do call('ZREMRANGEBYLEX', key, '-', '(' .. ARGV[2]) end
local over = call('ZCARD', index.all) - tonumber(ARGV[4])
if over > 0 then
  local oldest = call('ZPOPMIN', index.all, over)
  for i = 1, #oldest, 2 do
    call('UNLINK', base .. string.sub(oldest[i], 15))
    for _, key in pairs(index) do call('ZREM', key, oldest[i]) end
  end
end
return 1`,

  /** ARGV 1 status, or `unchanged`, 2 when the next attempt is due or '', 3 why it failed or '', 4 an attempt as JSON or '', 5 how many of
   * those are kept, 6 retention ms. What was delivered once stays so. Of what was forgotten nothing comes back. */
  settle: `${names}
local state = call('HMGET', KEYS[1], 'status', 'at')
if not state[1] then return 0 end
local keeps = state[1] == 'delivered' or ARGV[1] == 'unchanged'
local status = keeps and state[1] or ARGV[1]
if not keeps then
  call('HSET', KEYS[1], 'status', status, 'nextAt', ARGV[2], 'reason', status == 'delivered' and '' or ARGV[3])
end
if ARGV[4] ~= '' then
  local attempt = call('HINCRBY', KEYS[1], 'attempts', 1)
  call('HSET', KEYS[1], 'attempt:' .. attempt, ARGV[4])
  call('HDEL', KEYS[1], 'attempt:' .. (attempt - tonumber(ARGV[5])))
end
call('PEXPIRE', KEYS[1], ARGV[6])
if status ~= state[1] then
  local member = state[2] .. ':' .. id
  if call('ZREM', index[state[1]], member) == 1 then
    call('ZADD', index[status], 0, member)
    call('PEXPIRE', index[status], ARGV[6])
  end
end
return 1`,
} as const;
