--[[
  Takes permits for token requests out of a bucket that all replicas share, if there are enough: never more than its
  quota in any time of that length.
  KEYS[1] bucket  LIST ms at which each permit of the last window was taken, oldest first
  ARGV[1] permits   wanted
  ARGV[2] requests  the quota
  ARGV[3] window    ms that it is for
  ARGV[4] shift     ms added to the clock (tests)
  Returns 0 when they were taken, else ms after which they can be there
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
local newest = tonumber(redis.call('LINDEX', KEYS[1], -1) or 0)
if newest > now then
  -- The clock stepped back, and how long ago the last one was taken is not known any more: as if it were this moment.
  local taken = redis.call('LRANGE', KEYS[1], 0, -1)
  redis.call('DEL', KEYS[1])
  for _, at in ipairs(taken) do redis.call('RPUSH', KEYS[1], string.format('%.0f', at - (newest - now))) end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0) or now)
while oldest <= now - ARGV[3] do
  redis.call('LPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], 0) or now)
end
local excess = redis.call('LLEN', KEYS[1]) + ARGV[1] - ARGV[2]
if excess > 0 then return redis.call('LINDEX', KEYS[1], excess - 1) + ARGV[3] - now end
for _ = 1, ARGV[1] do redis.call('RPUSH', KEYS[1], string.format('%.0f', now)) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0
