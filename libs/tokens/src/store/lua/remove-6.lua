--[[
  Forgets a client: token, state, history and place in the queue. What is in flight for it is fenced.
  KEYS[1] due      ZSET client -> ms at which it is due
  KEYS[2] client   HASH of the client
  KEYS[3] trouble  ZSET client -> ms up to which its token is served, of those whose last attempt brought nothing
  KEYS[4] token    STRING the sealed token
  KEYS[5] failed   LIST the attempts that failed
  KEYS[6] known    HASH client -> a secret version that its own hash has, or a higher one
  ARGV[1] id       client
  ARGV[2] claim    only if this claim still holds; '' in any case
  ARGV[3] channel  for the news
]]
if ARGV[2] ~= '' and redis.call('HGET', KEYS[2], 'c') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[6], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[4], KEYS[5])
redis.call('PUBLISH', ARGV[3], 'removed ' .. ARGV[1])
return 1
