--[[
  Claims one client whose provider no longer takes the token that is stored, unless that token is stored no more, or the
  provider may not be asked now. Forced so are no two renewals of a client within some time, whoever wants it.
  KEYS[1] due         ZSET client -> ms at which it is due
  KEYS[2] client      HASH of the client
  KEYS[3] generation  the shard's last generation
  ARGV[1] id        client
  ARGV[2] lease     ms
  ARGV[3] rejected  generation of the token
  ARGV[4] rest      ms after a token was stored during which the next is not asked for
  ARGV[5] limit     ms after one forced renewal during which there is no other
  ARGV[6] take      1 to claim it, 0 only to look
  ARGV[7] shift     ms added to the clock (tests)
  Returns as claimOne does; {'free'} where it was only looked at, and could be claimed
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[7]
-- g generation of the token, h held until, n not before, r serve until, l runway at its arrival, a not asked again
-- before, i how long that was when it was written, f failures, b when a renewal was forced last
local state = redis.call('HMGET', KEYS[2], 'g', 'h', 'n', 'r', 'l', 'a', 'i', 'f', 'b')
if state[1] ~= ARGV[3] then return { 'newer' } end
local held = tonumber(state[2] or 0) - now
if held > 0 and held <= tonumber(ARGV[2]) then return { 'held', string.format('%.0f', held) } end
local age = now - (tonumber(state[4] or 0) - tonumber(state[5] or 0))
local rest = math.max(tonumber(state[3] or 0) - now, age >= 0 and ARGV[4] - age or 0)
-- As in claimOne: longer than any rest, it was written before the clock stepped back.
if rest > 400000 then rest = 0 end
local interval, limit = tonumber(state[6] or 0) - now, tonumber(state[9] or 0) + ARGV[5] - now
if interval <= tonumber(state[7] or 0) then rest = math.max(rest, interval) end
if limit <= tonumber(ARGV[5]) then rest = math.max(rest, limit) end
if rest > 0 then return { 'resting', string.format('%.0f', rest) } end
if ARGV[6] == '0' then return { 'free' } end
local generation = math.max(now * 1000, tonumber(redis.call('GET', KEYS[3]) or 0)) + 1
local text = string.format('%.0f', generation)
redis.call('SET', KEYS[3], text)
-- z the generation that was rejected: commit replaces it whatever its end
redis.call('HSET', KEYS[2], 'c', text, 'h', now + ARGV[2], 'b', string.format('%.0f', now), 'z', ARGV[3])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return { 'claimed', text, tonumber(state[8] or 0) > 0 and 1 or 0 }
