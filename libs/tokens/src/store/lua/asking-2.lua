--[[
  Notes that the provider is about to be asked for a client whose requests must be a minimum interval apart. Noted
  before: a worker that dies may have sent its request.
  KEYS[1] due     ZSET client -> ms at which it is due
  KEYS[2] client  HASH of the client
  ARGV[1] id          client
  ARGV[2] generation  of the claim
  ARGV[3] interval    ms
  ARGV[4] lease       ms
  ARGV[5] shift       ms added to the clock (tests)
  Returns 'go' | 'fenced' the claim holds no more | 'early' not yet: the claim is given back, and due when the time has come
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5]
-- c claim, a not asked again before, i how long that was when it was written
local state = redis.call('HMGET', KEYS[2], 'c', 'a', 'i')
if state[1] ~= ARGV[2] then return 'fenced' end
local rest, longest = tonumber(state[2] or 0) - now, tonumber(state[3] or 0)
if rest > 0 and longest > 0 then
  -- Longer than it ever was: the clock stepped back, and when that was is not known any more. As if it were this moment.
  local before = now + math.min(rest, longest)
  redis.call('HSET', KEYS[2], 'h', 0, 'a', before)
  redis.call('ZADD', KEYS[1], before, ARGV[1])
  return 'early'
end
redis.call('HSET', KEYS[2], 'a', now + ARGV[3], 'i', ARGV[3])
redis.call('ZADD', KEYS[1], now + math.max(tonumber(ARGV[3]), tonumber(ARGV[4])), ARGV[1])
return 'go'
