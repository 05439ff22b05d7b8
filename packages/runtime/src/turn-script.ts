/**
 * For scripts that have `call`. Gives out turns, by start-time fair queueing (Goyal, Vin and Cheng, 1996): a request's turn is its owner's next one, or
 * the one that its class has come to, whichever is later. So an owner with a long line does not stand before one with a
 * short line. With nothing open the turns begin anew.
 */
export const turns = `
local function nextTurn(turns, class, owner, idle)
  if idle then call('DEL', turns) end
  local reached = call('HMGET', turns, class, class .. ':' .. owner)
  local turn = math.max(tonumber(reached[1] or 0), tonumber(reached[2] or 0))
  call('HSET', turns, class .. ':' .. owner, turn + 1)
  return turn
end
`;
