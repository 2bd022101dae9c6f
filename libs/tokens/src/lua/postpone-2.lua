--[[
  Gives a claim back after a failed attempt, or unused; the token that is stored stays.
  KEYS[1] due     ZSET client -> ms at which it is due
  KEYS[2] client  HASH of the client
  ARGV[1] id          client
  ARGV[2] generation  of the claim
  ARGV[3] delay       ms until the next attempt
  ARGV[4] failures    in a row, this one included
  ARGV[5] refusals    in a row, this one included
  ARGV[6] failure     JSON of the last failure, or ''
  ARGV[7] shift       ms added to the clock (tests)
  Returns 1, or 0 when the claim holds no more
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[7]
if redis.call('HGET', KEYS[2], 'c') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'h', 0, 'n', now + ARGV[3], 'f', ARGV[4], 'x', ARGV[5], 'e', ARGV[6])
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
return 1
