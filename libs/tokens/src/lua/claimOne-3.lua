--[[
  Claims one client on demand, unless it is not needed or not allowed.
  KEYS[1] due         ZSET client -> ms at which it is due
  KEYS[2] client      HASH of the client
  KEYS[3] generation  the shard's last generation
  ARGV[1] id     client
  ARGV[2] lease  ms
  ARGV[3] seen   generation of the token that the caller has and cannot use, 0 for none
  ARGV[4] shift  ms added to the clock (tests)
  Returns {'claimed', generation} | {'newer'} a later token is stored, and alive | {'held', ms left} somebody is at it
        | {'resting', ms left} the last attempt brought nothing and the next is not due
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
local state = redis.call('HMGET', KEYS[2], 'g', 'h', 'n', 'r')
if tonumber(state[1] or 0) > tonumber(ARGV[3]) and tonumber(state[4] or 0) > now then return { 'newer' } end
if tonumber(state[2] or 0) > now then return { 'held', string.format('%.0f', state[2] - now) } end
if tonumber(state[3] or 0) > now then return { 'resting', string.format('%.0f', state[3] - now) } end
local generation = math.max(now * 1000, tonumber(redis.call('GET', KEYS[3]) or 0)) + 1
local text = string.format('%.0f', generation)
redis.call('SET', KEYS[3], text)
redis.call('HSET', KEYS[2], 'c', text, 'h', now + ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return { 'claimed', text }
