--[[
  Gives a claim back after a failed attempt, or unused; the token that is stored stays.
  KEYS[1] due      ZSET client -> ms at which it is due
  KEYS[2] client   HASH of the client
  KEYS[3] trouble  ZSET client -> ms up to which its token is served, 0 without one, of those whose last attempt brought
                   nothing
  KEYS[4] failed   LIST the attempts that failed, newest first
  ARGV[1] id          client
  ARGV[2] generation  of the claim
  ARGV[3] delay       ms until the next attempt
  ARGV[4] failures    in a row, this one included; '' when there was no attempt, and what was before stays
  ARGV[5] refusals    in a row, this one included
  ARGV[6] failure     JSON of the last failure, or ''
  ARGV[7] version     secret version that was tried, '' if none was
  ARGV[8] shift       ms added to the clock (tests)
  ARGV[9] interval    ms during which the provider is not asked again, 0 for none, '' where it was not asked
  ARGV[10] attempt    JSON of the attempt for the history, '' when the provider was not asked
  ARGV[11] kept       at most so many in the history
  ARGV[12] ttl        ms that they are kept after the last one
  Returns 'postponed' | 'fenced' the claim holds no more | 'outdated' tried with a secret that was replaced since, which
  says nothing of the present one: due again at once
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[8]
-- c claim, m minimum secret version, r serve until (Redis clock)
local state = redis.call('HMGET', KEYS[2], 'c', 'm', 'r')
if state[1] ~= ARGV[2] then return 'fenced' end
if ARGV[7] ~= '' and tonumber(ARGV[7]) < tonumber(state[2] or 0) then
  redis.call('HSET', KEYS[2], 'h', 0)
  redis.call('HDEL', KEYS[2], 'a', 'i')
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  return 'outdated'
end
redis.call('HSET', KEYS[2], 'h', 0, 'n', now + ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], 'f', ARGV[4], 'x', ARGV[5], 'e', ARGV[6]) end
if ARGV[9] ~= '' then redis.call('HSET', KEYS[2], 'a', ARGV[9] == '0' and 0 or now + ARGV[9], 'i', ARGV[9]) end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], state[3] or 0, ARGV[1])
if ARGV[10] ~= '' then
  redis.call('LPUSH', KEYS[4], ARGV[10])
  redis.call('LTRIM', KEYS[4], 0, ARGV[11] - 1)
  redis.call('PEXPIRE', KEYS[4], ARGV[12])
end
return 'postponed'
