--[[
  Claims the clients of one shard whose renewal is due: each gets a lease (it comes due again if its claimer dies) and
  a new generation (which fences whoever claimed it before).
  KEYS[1] due      ZSET client -> ms at which it is due
  KEYS[2] trouble  ZSET client -> ms up to which its token is served, of those whose last attempt brought nothing
  ARGV[1] shard  key prefix of the shard
  ARGV[2] limit  at most so many
  ARGV[3] lease  ms
  ARGV[4] shift  ms added to the clock (tests)
  Returns {} when none is due; else {lost, id, generation, lateness in ms, trouble, id, ...}: lost is 1 when the shard has
  no mark, which says that all of its clients are in the queue; trouble is 1 for a client in trouble, 2 where its last
  attempt failed: others were only given back
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
if #due == 0 then return redis.call('EXISTS', ARGV[1] .. 'epoch') == 1 and {} or { 1 } end

-- Generations follow the clock, so that they go on rising after Redis lost everything; the counter keeps them rising
-- when the clock steps back.
local kept = redis.call('MGET', ARGV[1] .. 'generation', ARGV[1] .. 'epoch')
local generation = math.max(now * 1000, tonumber(kept[1] or 0))
local ids, leases, held_until = {}, {}, now + ARGV[3]
for i = 1, #due, 2 do
  ids[#ids + 1] = due[i]
  leases[#leases + 1] = held_until
  leases[#leases + 1] = due[i]
end
local trouble = redis.call('ZMSCORE', KEYS[2], unpack(ids))
local claims = { kept[2] and 0 or 1 }
for i, id in ipairs(ids) do
  generation = generation + 1
  local text = string.format('%.0f', generation)
  redis.call('HSET', ARGV[1] .. 'c:' .. id, 'c', text, 'h', held_until)
  claims[#claims + 1] = id
  claims[#claims + 1] = text
  claims[#claims + 1] = string.format('%.0f', now - due[2 * i])
  local failed = trouble[i] and tonumber(redis.call('HGET', ARGV[1] .. 'c:' .. id, 'f') or 0) > 0
  claims[#claims + 1] = failed and 2 or trouble[i] and 1 or 0
end
redis.call('ZADD', KEYS[1], unpack(leases))
redis.call('SET', ARGV[1] .. 'generation', string.format('%.0f', generation))
return claims
