--[[
  Claims one client on demand, unless it is not needed or not allowed.
  KEYS[1] due         ZSET client -> ms at which it is due
  KEYS[2] client      HASH of the client
  KEYS[3] generation  the shard's last generation
  ARGV[1] id     client
  ARGV[2] lease  ms
  ARGV[3] seen   generation of the token that the caller has and cannot use, 0 for none
  ARGV[4] rest   ms after a token was stored during which the next is not asked for; 0 for who has it already, or insists
  ARGV[5] shift  ms added to the clock (tests)
  Returns {'claimed', generation, 1 if the last attempt failed} | {'newer'} a later token is stored, and alive | {'held', ms left} somebody is at it
        | {'resting', ms left} the last attempt brought nothing and the next is not due, or must not be made yet
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5]
-- g generation of the token, h held until, n not before, r serve until, l runway at its arrival, a not asked again
-- before, i how long that was when it was written, f failures
local state = redis.call('HMGET', KEYS[2], 'g', 'h', 'n', 'r', 'l', 'a', 'i', 'f')
-- Nobody holds longer than the lease or rests longer than this: it was written before the clock stepped back.
local longest_rest = 400000
if tonumber(state[1] or 0) > tonumber(ARGV[3]) and tonumber(state[4] or 0) > now then return { 'newer' } end
local held = tonumber(state[2] or 0) - now
if held > 0 and held <= tonumber(ARGV[2]) then return { 'held', string.format('%.0f', held) } end
local age = now - (tonumber(state[4] or 0) - tonumber(state[5] or 0))
local rest = math.max(tonumber(state[3] or 0) - now, age >= 0 and ARGV[4] - age or 0)
if rest > longest_rest then rest = 0 end
local interval = tonumber(state[6] or 0) - now
if interval <= tonumber(state[7] or 0) then rest = math.max(rest, interval) end
if rest > 0 and ARGV[4] ~= '0' then return { 'resting', string.format('%.0f', rest) } end
local generation = math.max(now * 1000, tonumber(redis.call('GET', KEYS[3]) or 0)) + 1
local text = string.format('%.0f', generation)
redis.call('SET', KEYS[3], text)
redis.call('HSET', KEYS[2], 'c', text, 'h', now + ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return { 'claimed', text, tonumber(state[8] or 0) > 0 and 1 or 0 }
