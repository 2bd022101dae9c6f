--[[
  Puts clients of one shard into the queue, those that are in it already excepted. Where nothing is new, that takes two
  commands, however many they are.
  KEYS[1] due    ZSET client -> ms at which it is due
  KEYS[2] known  HASH client -> a secret version that its own hash has, or a higher one
  ARGV[1] shard  key prefix of the shard
  ARGV[2] shift  ms added to the clock (tests)
  ARGV[3..] all ids, then their secret versions, then their delays in ms
  Returns how many were missing
]]
local count = (#ARGV - 2) / 3
local places = redis.call('ZMSCORE', KEYS[1], unpack(ARGV, 3, 2 + count))
local known = redis.call('HMGET', KEYS[2], unpack(ARGV, 3, 2 + count))
local missing, learned, clock = {}, {}, nil
local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
  end
  return clock
end
for i = 1, count do
  local version = ARGV[2 + count + i]
  if not places[i] or known[i] ~= version then
    local id, is_there = ARGV[2 + i], places[i]
    if not is_there then
      missing[#missing + 1] = now() + ARGV[2 + 2 * count + i]
      missing[#missing + 1] = id
    end
    -- What is known may be wrong where 0.1.0 removed a client, which leaves it: of one that is missing, or of one whose
    -- version has gone back with the database. 0 comes from who does not know it.
    if version ~= '0' then
      local client = ARGV[1] .. 'c:' .. id
      local minimum = tonumber(redis.call('HGET', client, 'm') or 0)
      if tonumber(version) > minimum then
        redis.call('HSET', client, 'm', version)
        redis.call('HDEL', client, 'a', 'i')
        -- A higher version than was known: the change that made it never arrived here, so it is due now. Where none was
        -- known, as after everything was lost, it waits for its turn, or somebody is at it.
        if is_there and minimum > 0 then redis.call('ZADD', KEYS[1], 'LT', now(), id) end
      end
      learned[#learned + 1] = id
      learned[#learned + 1] = version
    end
  end
end
if #missing > 0 then redis.call('ZADD', KEYS[1], unpack(missing)) end
if #learned > 0 then redis.call('HSET', KEYS[2], unpack(learned)) end
return #missing / 2
