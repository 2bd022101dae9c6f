--[[
  Stores a token, if its claim still holds; otherwise the token is discarded.
  KEYS[1] due     ZSET client -> ms at which it is due
  KEYS[2] client  HASH of the client
  KEYS[3] trouble ZSET client -> ms up to which its token is served, of those whose last attempt brought nothing
  KEYS[4] token   STRING the sealed token; apart from the hash, which stays small and compact without it
  ARGV[1] id           client
  ARGV[2] generation   of the claim
  ARGV[3] version      secret version that the token was got with
  ARGV[4] sealed       the token
  ARGV[5] runway       ms that the token may still be served
  ARGV[6] serveUntil   the same as a point in time on the committer's clock
  ARGV[7] life         ms that it may be served in all
  ARGV[8] renewIn      ms until its renewal is due
  ARGV[9] channel      for the news
  ARGV[10] shift       ms added to the clock (tests)
  ARGV[11] margin      ms from the end of serving to the end of its life as the provider told it
  ARGV[12] prints      fingerprints of its text, each with a space before and behind; the first is kept; '' for none
  ARGV[13] before      ms before the end of a token at which another can be had, '' when that is not known
  ARGV[14] endsOthers  1 when it has ended the token before, else 0
  ARGV[15] interval    ms during which the provider is not asked again, 0 for none
  ARGV[16] unplanned   ms until its renewal is due where it ends an outage, or is the first; '' for as otherwise
  ARGV[17] took        ms that the attempt took
  ARGV[18] request     the provider's id of the request, '' for none
  ARGV[19] retry       1 when the client was in trouble as it was claimed
  Returns {'stored' | 'fenced' | 'outdated' | 'sticky', 1 if it ends a series of failures or is the first}
  outdated: got with a secret that was replaced since, due again at once; sticky: it is the token that is stored, or ends
  no later, and the stored one is kept
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[10]
local runway, wall, renew_in = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local interval = tonumber(ARGV[15])
-- c claim, m minimum secret version, r serve until (Redis clock), v secret version, f failures, l servable life,
-- u serve until (committer's clock), k margin, p fingerprint, n not before, y the last attempts that went well, j where
-- they go once they are ten, w when the last one was, seconds, z the generation that was rejected, g that of the token
local state = redis.call('HMGET', KEYS[2], 'c', 'm', 'r', 'v', 'f', 'l', 'u', 'k', 'p', 'n', 'y', 'j', 'w', 'z', 'g')
if state[1] ~= ARGV[2] then return { 'fenced', 0 } end
local failed = tonumber(state[5] or 0) > 0
local news = (failed or not state[3]) and 1 or 0
if tonumber(ARGV[3]) < tonumber(state[2] or 0) then
  redis.call('HDEL', KEYS[2], 'h', 'a', 'i')
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  return { 'outdated', 0 }
end

local stored, margin = tonumber(state[3] or 0), tonumber(state[8] or 0)
local finish, ends = stored + margin, now + runway + ARGV[11]
-- What claims to live longer than it ever did was stored before the clock stepped back: nothing to compare with. Nor is
-- there after a change, which sets l to 0.
local comparable = stored - now <= tonumber(state[6] or 0) and tonumber(ARGV[3]) <= tonumber(state[4] or 0)
-- The same token, until somewhat after its end: that may be told late. Later still, it did not end as told.
local same = state[9] and now < finish + 10000 and ARGV[12]:find(' ' .. state[9] .. ' ', 1, true)
-- What the provider no longer takes is worth less than any other token.
local rejected = state[14] and state[14] == state[15]
local keep = comparable and stored > now and now + runway <= stored and ARGV[14] == '0' and not rejected
local cut = 0
if same then
  -- It lives up to the end that was told when it came first, whatever is told now. What its client may have of its life
  -- can have been less: then it may be served longer. Or its end is sooner than was known.
  cut = math.max(0, runway - (finish - math.min(tonumber(ARGV[11]), 30000) - now))
  local longer = margin > 30000 and now + runway - cut > stored + 1000
  local sooner = ends < finish - 1000
  keep = runway - cut <= 0 or comparable and not longer and not sooner
end
-- A replica of the first version forgets failures and leaves trouble as it is: then the claim knows.
local troubled = failed or tonumber(state[10] or 0) > 0 or ARGV[19] == '1'
-- Into the history: four bytes for each, fields of ten of them at most, so that the hash stays small and compact. A bit
-- for one that was kept, 23 for the seconds since the one before, eight for the logarithm of how long it took.
local at = math.floor(now / 1000)
local since = math.max(0, math.min(8388607, at - tonumber(state[13] or at)))
local took = math.min(255, math.floor(math.log(ARGV[17] + 1) * 23 + 0.5))
local past, slot = state[11] or '', tonumber(state[12] or 0)
local fields = { 'h', '0', 'q', ARGV[18], 'w', at }
local function put(name, value)
  local last = #fields
  fields[last + 1] = name
  fields[last + 2] = value
end
if #past >= 40 then
  put('y' .. slot, past)
  put('j', (slot + 1) % 5)
  past = ''
end
put('y', past .. struct.pack('>I4', (keep and 2147483648 or 0) + since * 256 + took))
local function end_failures()
  put('f', '0')
  put('x', '0')
  put('e', '')
end
if interval > 0 then
  put('a', now + interval)
  put('i', interval)
end
local next_known = ARGV[13] ~= '' and math.max(finish - ARGV[13] - now, 1000) or nil

if keep then
  -- Else half of what remains, again and again: never a hot loop, and in time for the last moment.
  -- At least once a month, as renewals are.
  local again = math.min(math.max(1000, ((stored > now and stored or finish) - now) / 2), 2592000000)
  if next_known and next_known > 1000 then again = next_known end
  again = math.max(again, interval)
  put('n', now + math.min(again, 300000))
  -- A token that is not served any more, though the provider still gives it, ends no series of failures.
  if stored > now then
    if failed then end_failures() end
    if troubled then redis.call('ZREM', KEYS[3], ARGV[1]) end
  end
  redis.call('HSET', KEYS[2], unpack(fields))
  redis.call('ZADD', KEYS[1], now + again, ARGV[1])
  return { 'sticky', stored > now and news or 0 }
end

if same then
  ends = math.min(ends, finish)
  runway = runway - cut
  -- By either clock: Redis' may have stepped back.
  wall = math.min(wall - cut, tonumber(state[7]) + now + runway - stored)
  if cut > 0 then renew_in = math.max(interval, next_known or math.min(renew_in, math.max(1000, runway * 0.65))) end
end
if ARGV[16] ~= '' and not same and (stored <= now or failed) then renew_in = math.max(interval, tonumber(ARGV[16])) end
put('g', ARGV[2])
put('u', wall)
put('r', now + runway)
-- What stays as it was is not written again; that is most of it.
if state[4] ~= ARGV[3] then put('v', ARGV[3]) end
if state[2] ~= ARGV[3] then put('m', ARGV[3]) end
local life, rest, first = math.min(tonumber(ARGV[7]), runway), ends - now - runway, ARGV[12]:match('%S+') or ''
if tonumber(state[6] or -1) ~= life then put('l', life) end
if margin ~= rest or not state[8] then put('k', rest) end
if (state[9] or '') ~= first then put('p', first) end
local not_before = renew_in > runway and now + renew_in or 0
if tonumber(state[10] or 0) ~= not_before then put('n', not_before) end
if failed then end_failures() end
redis.call('SET', KEYS[4], ARGV[4], 'PX', math.max(1, runway))
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('ZADD', KEYS[1], now + renew_in, ARGV[1])
if troubled then redis.call('ZREM', KEYS[3], ARGV[1]) end
redis.call('PUBLISH', ARGV[9], 'renewed ' .. ARGV[1] .. ' ' .. ARGV[2])
return { 'stored', news }
