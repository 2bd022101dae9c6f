--[[
  Reads a client's token and state together with the clock that they are to be judged by.
  KEYS[1] client  HASH of the client
  KEYS[2] due     ZSET client -> ms at which it is due
  KEYS[3] token   STRING the sealed token
  ARGV[1] id      client
  ARGV[2] shift   ms added to the clock (tests)
  Returns {now, due, token, rest, g, v, u, r, l, f, x, e}; rest: ms during which the provider is not asked again
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local state = redis.call('HMGET', KEYS[1], 'g', 'v', 'u', 'r', 'l', 'f', 'x', 'e', 'n', 'a', 'i')
-- n not before, a not asked again before, i how long that was when it was written. As claimOne has it.
local rest, interval = tonumber(state[9] or 0) - now, tonumber(state[10] or 0) - now
if rest > 400000 then rest = 0 end
if interval <= tonumber(state[11] or 0) then rest = math.max(rest, interval) end
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local token = redis.call('GET', KEYS[3])
return { string.format('%.0f', now), due, token, string.format('%.0f', rest), unpack(state, 1, 8) }
