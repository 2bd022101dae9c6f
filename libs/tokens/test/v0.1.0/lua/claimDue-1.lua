--[[
  Claims the clients of one shard whose renewal is due: each gets a lease (it comes due again if its claimer dies) and
  a new generation (which fences whoever claimed it before).
  KEYS[1] due    ZSET client -> ms at which it is due
  ARGV[1] shard  key prefix of the shard
  ARGV[2] limit  at most so many
  ARGV[3] lease  ms
  ARGV[4] shift  ms added to the clock (tests)
  Returns {id, generation, lateness in ms, id, generation, lateness, ...}
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
if #due == 0 then return {} end

-- Generations follow the clock, so that they go on rising after Redis lost everything; the counter keeps them rising
-- when the clock steps back.
local generation = math.max(now * 1000, tonumber(redis.call('GET', ARGV[1] .. 'generation') or 0))
local claims, leases = {}, {}
for i = 1, #due, 2 do
  generation = generation + 1
  local text = string.format('%.0f', generation)
  redis.call('HSET', ARGV[1] .. 'c:' .. due[i], 'c', text, 'h', now + ARGV[3])
  leases[#leases + 1] = now + ARGV[3]
  leases[#leases + 1] = due[i]
  claims[#claims + 1] = due[i]
  claims[#claims + 1] = text
  claims[#claims + 1] = string.format('%.0f', now - due[i + 1])
end
redis.call('ZADD', KEYS[1], unpack(leases))
redis.call('SET', ARGV[1] .. 'generation', string.format('%.0f', generation))
return claims
