--[[
  Reads a client's token and state together with the clock that they are to be judged by.
  KEYS[1] client  HASH of the client
  KEYS[2] due     ZSET client -> ms at which it is due
  KEYS[3] token   STRING the sealed token
  ARGV[1] id      client
  ARGV[2] shift   ms added to the clock (tests)
  Returns {now, due, token, g, v, u, r, l, f, x, e}
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local state = redis.call('HMGET', KEYS[1], 'g', 'v', 'u', 'r', 'l', 'f', 'x', 'e')
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local token = redis.call('GET', KEYS[3])
return { string.format('%.0f', now), due, token, unpack(state, 1, 8) }
