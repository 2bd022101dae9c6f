--[[
  Puts clients of one shard into the queue, those that are in it already excepted.
  KEYS[1] due    ZSET client -> ms at which it is due
  ARGV[1] shard  key prefix of the shard
  ARGV[2] shift  ms added to the clock (tests)
  ARGV[3..] id, secret version, delay in ms; and so on
  Returns how many were missing
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local missing = 0
for i = 3, #ARGV, 3 do
  local client = ARGV[1] .. 'c:' .. ARGV[i]
  local added = redis.call('ZADD', KEYS[1], 'NX', now + ARGV[i + 2], ARGV[i])
  missing = missing + added
  local minimum = tonumber(redis.call('HGET', client, 'm') or 0)
  if tonumber(ARGV[i + 1]) > minimum then
    redis.call('HSET', client, 'm', ARGV[i + 1])
    redis.call('HDEL', client, 'a', 'i')
    -- A higher version than was known: the change that made it never arrived here, so it is due now. Where none was known,
    -- as after everything was lost, it waits for its turn, or somebody is at it.
    if added == 0 and minimum > 0 then redis.call('ZADD', KEYS[1], 'LT', now, ARGV[i]) end
  end
end
return missing
