--[[
  The generations of clients' tokens, as those ask for them who have tokens and want to know whether these are the latest.
  KEYS[1..] client  HASH of each client
  Returns as many, null where there is no token
]]
local generations = {}
for i, client in ipairs(KEYS) do generations[i] = redis.call('HGET', client, 'g') end
return generations
