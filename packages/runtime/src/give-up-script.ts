/**
 * One of two stages that look ends without a result, and the request goes on with the other. ARGV 2 stage, 3 token or ''
 * (with one, only that run may), 4 generation, 5 error JSON, 6 data of the event.
 */
export const givingUp = `
local stage = ARGV[2]
local state = call('HMGET', rec, 'status', stage .. '.status', stage .. '.token', 'generation', 'seq')
if not state[1] then return {'gone'} end
if terminal(state[1]) then return {'closed', state[1]} end
if state[2] == 'completed' or state[2] == 'failed' or (state[4] or '0') ~= ARGV[4] then return {'fenced'} end
if ARGV[3] ~= '' and (state[3] ~= ARGV[3] or state[2] ~= 'running') then return {'fenced'} end
local seq = tonumber(state[5]) + 1
call('HSET', rec, stage .. '.status', 'failed', stage .. '.error', ARGV[5], 'readyAt', now, 'seq', seq)
emit(seq, 'stage.failed', ARGV[6])
return {'given up'}`;
