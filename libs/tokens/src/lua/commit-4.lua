--[[
  Stores a token, if its claim still holds; otherwise the token is discarded.
  KEYS[1] due     ZSET client -> ms at which it is due
  KEYS[2] client  HASH of the client
  KEYS[3] until   ZSET client -> ms up to which its token is served
  KEYS[4] token   STRING the sealed token; apart from the hash, which stays small and compact without it
  ARGV[1] id          client
  ARGV[2] generation  of the claim
  ARGV[3] version     secret version that the token was got with
  ARGV[4] sealed      the token
  ARGV[5] runway      ms that the token may still be served
  ARGV[6] serveUntil  the same as a point in time on the committer's clock
  ARGV[7] life        ms that it may be served in all
  ARGV[8] renewIn     ms until its renewal is due
  ARGV[9] channel     for the news
  ARGV[10] shift      ms added to the clock (tests)
  Returns {'stored' | 'fenced' | 'outdated' | 'sticky', 1 if it ends a series of failures or is the first}; outdated: got with a secret that was replaced
  since, due again at once; sticky: it ends no later than the token that is stored, which is kept
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[10]
-- c claim, m minimum secret version, r serve until (Redis clock), v secret version, f failures, l servable life
local state = redis.call('HMGET', KEYS[2], 'c', 'm', 'r', 'v', 'f', 'l')
if state[1] ~= ARGV[2] then return { 'fenced', 0 } end
local news = (tonumber(state[5] or 0) > 0 or not state[3]) and 1 or 0
if tonumber(ARGV[3]) < tonumber(state[2] or 0) then
  redis.call('HDEL', KEYS[2], 'h')
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  return { 'outdated', 0 }
end
local stored = tonumber(state[3] or 0)
-- What claims to live longer than it ever did was stored before the clock stepped back: nothing to compare with.
local comparable = stored > now and stored - now <= tonumber(state[6] or 0)
if comparable and now + ARGV[5] <= stored and tonumber(ARGV[3]) <= tonumber(state[4] or 0) then
  -- Half of what remains, again and again: never a hot loop, and in time for the last moment.
  local again = now + math.max(1000, (stored - now) / 2)
  redis.call('HSET', KEYS[2], 'h', 0, 'n', math.min(again, now + 300000), 'f', 0, 'x', 0, 'e', '')
  redis.call('ZADD', KEYS[1], again, ARGV[1])
  return { 'sticky', news }
end
redis.call('SET', KEYS[4], ARGV[4], 'PX', math.max(1, ARGV[5]))
redis.call('HSET', KEYS[2], 'g', ARGV[2], 'v', ARGV[3], 'm', ARGV[3], 'u', ARGV[6], 'r', now + ARGV[5], 'l', ARGV[7],
  'h', 0, 'n', 0, 'f', 0, 'x', 0, 'e', '')
redis.call('ZADD', KEYS[1], now + ARGV[8], ARGV[1])
redis.call('ZADD', KEYS[3], now + ARGV[5], ARGV[1])
redis.call('PUBLISH', ARGV[9], 'renewed ' .. ARGV[1] .. ' ' .. ARGV[2])
return { 'stored', news }
