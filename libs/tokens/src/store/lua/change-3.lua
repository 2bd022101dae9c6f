--[[
  A client was changed: no token got with an older secret is stored from now on, what is in flight is fenced, past
  failures are forgotten, and its renewal is due. The token that is stored goes on being served. Other credentials need
  not wait for the minimum interval since the last request; the same ones do.
  KEYS[1] due      ZSET client -> ms at which it is due
  KEYS[2] client   HASH of the client
  KEYS[3] trouble  ZSET client -> ms up to which its token is served, of those whose last attempt brought nothing
  ARGV[1] id       client
  ARGV[2] version  its secret version
  ARGV[3] channel  for the news
  ARGV[4] delay    ms until it is due; 0 at once
  ARGV[5] shift    ms added to the clock (tests)
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5]
-- m minimum secret version, a not asked again before, i how long that was when it was written
local state = redis.call('HMGET', KEYS[2], 'm', 'a', 'i')
local minimum = math.max(tonumber(state[1] or 0), tonumber(ARGV[2]))
local delay, interval = tonumber(ARGV[4]), tonumber(state[2] or 0) - now
if minimum > tonumber(state[1] or 0) then
  redis.call('HDEL', KEYS[2], 'a', 'i')
elseif interval <= tonumber(state[3] or 0) then
  delay = math.max(delay, interval)
end
-- l: whatever token comes next replaces the one that is stored, were it to end sooner.
redis.call('HSET', KEYS[2], 'm', minimum, 'c', '', 'h', 0, 'n', 0, 'f', 0, 'x', 0, 'e', '', 'l', 0)
redis.call('ZADD', KEYS[1], now + delay, ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[3], 'changed ' .. ARGV[1])
return 1
