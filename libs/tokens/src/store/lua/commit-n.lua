--[[
  Stores tokens, each if its claim still holds; otherwise it is discarded. One command for many: of what
  each would cost Redis by itself, a fourth is being asked.
  For each token KEYS has
  due     ZSET client -> ms at which it is due
  client  HASH of the client
  trouble ZSET client -> ms up to which its token is served, of those whose last attempt brought nothing
  token   STRING the sealed token; apart from the hash, which stays small and compact without it
  ARGV[1] channel  for the news
  ARGV[2] shift    ms added to the clock (tests)
  and then for each token
  id         client
  generation of the claim
  sealed     the token
  prints     fingerprints of its text, each with a space before and behind; the first is kept; '' for none
  request    the provider's id of the request, '' for none
  numbers    packed, as the function names them:
    version     secret version that the token was got with
    runway      ms that the token may still be served
    wall        the same as a point in time on the committer's clock
    life        ms that it may be served in all
    renew_in    ms until its renewal is due
    told_margin ms from the end of serving to the end of its life as the provider told it
    before      ms before the end of a token at which another can be had, minus infinity when that is not known
    ends_others 1 when it has ended the token before, else 0
    interval    ms during which the provider is not asked again, 0 for none
    unplanned   ms until its renewal is due where it ends an outage, or is the first; negative for as otherwise
    took        ms that the attempt took
    in_trouble  1 when the client was in trouble as it was claimed
  Returns for each token {'stored' | 'fenced' | 'outdated' | 'sticky' | 'failed', 1 if it ends a series of failures or is
  the first; or why it failed}. outdated: got with a secret that was replaced since, due again at once; sticky: it is the
  token that is stored, or ends no later, and the stored one is kept. Where all failed it is an error.
]]
local channel = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]

local function commit(due, client, trouble, token, id, generation, sealed, prints, request, numbers)
  local version, runway, wall, life, renew_in, told_margin, before, ends_others, interval, unplanned, took, in_trouble =
    struct.unpack('>dddddddddddd', numbers)
  -- c claim, m minimum secret version, r serve until (Redis clock), v secret version, f failures, l servable life,
  -- u serve until (committer's clock), k margin, p fingerprint, n not before, y the last attempts that went well, j where
  -- they go once they are ten, w when the last one was, seconds, z the generation that was rejected, g that of the token
  local state = redis.call('HMGET', client, 'c', 'm', 'r', 'v', 'f', 'l', 'u', 'k', 'p', 'n', 'y', 'j', 'w', 'z', 'g')
  if state[1] ~= generation then return { 'fenced', 0 } end
  local failed = tonumber(state[5] or 0) > 0
  local news = (failed or not state[3]) and 1 or 0
  if version < tonumber(state[2] or 0) then
    redis.call('HDEL', client, 'h', 'a', 'i')
    redis.call('ZADD', due, now, id)
    return { 'outdated', 0 }
  end

  local stored, margin = tonumber(state[3] or 0), tonumber(state[8] or 0)
  local finish, ends = stored + margin, now + runway + told_margin
  -- What claims to live longer than it ever did was stored before the clock stepped back: nothing to compare with. Nor is
  -- there after a change, which sets l to 0.
  local comparable = stored - now <= tonumber(state[6] or 0) and version <= tonumber(state[4] or 0)
  -- The same token, until somewhat after its end: that may be told late. Later still, it did not end as told.
  local same = state[9] and now < finish + 10000 and prints:find(' ' .. state[9] .. ' ', 1, true)
  -- What the provider no longer takes is worth less than any other token.
  local rejected = state[14] and state[14] == state[15]
  local keep = comparable and stored > now and now + runway <= stored and ends_others == 0 and not rejected
  local cut = 0
  if same then
    -- It lives up to the end that was told when it came first, whatever is told now. What its client may have of its life
    -- can have been less: then it may be served longer. Or its end is sooner than was known.
    cut = math.max(0, runway - (finish - math.min(told_margin, 30000) - now))
    local longer = margin > 30000 and now + runway - cut > stored + 1000
    local sooner = ends < finish - 1000
    keep = runway - cut <= 0 or comparable and not longer and not sooner
  end
  -- A replica of the first version forgets failures and leaves trouble as it is: then the claim knows.
  local troubled = failed or tonumber(state[10] or 0) > 0 or in_trouble == 1
  -- Into the history: four bytes for each, fields of ten of them at most, so that the hash stays small and compact. A bit
  -- for one that was kept, 23 for the seconds since the one before, eight for the logarithm of how long it took.
  local at = math.floor(now / 1000)
  local since = math.max(0, math.min(8388607, at - tonumber(state[13] or at)))
  local log = math.min(255, math.floor(math.log(took + 1) * 23 + 0.5))
  local past, slot = state[11] or '', tonumber(state[12] or 0)
  local fields = { 'h', '0', 'q', request, 'w', at }
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
  put('y', past .. struct.pack('>I4', (keep and 2147483648 or 0) + since * 256 + log))
  local function end_failures()
    put('f', '0')
    put('x', '0')
    put('e', '')
  end
  if interval > 0 then
    put('a', now + interval)
    put('i', interval)
  end
  local next_known = before > -math.huge and math.max(finish - before - now, 1000) or nil

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
      if troubled then redis.call('ZREM', trouble, id) end
    end
    redis.call('HSET', client, unpack(fields))
    redis.call('ZADD', due, now + again, id)
    return { 'sticky', stored > now and news or 0 }
  end

  if same then
    ends = math.min(ends, finish)
    runway = runway - cut
    -- By either clock: Redis' may have stepped back.
    wall = math.min(wall - cut, tonumber(state[7]) + now + runway - stored)
    if cut > 0 then renew_in = math.max(interval, next_known or math.min(renew_in, math.max(1000, runway * 0.65))) end
  end
  if unplanned >= 0 and not same and (stored <= now or failed) then renew_in = math.max(interval, unplanned) end
  put('g', generation)
  put('u', wall)
  put('r', now + runway)
  -- What stays as it was is not written again; that is most of it.
  if tonumber(state[4]) ~= version then put('v', version) end
  if tonumber(state[2]) ~= version then put('m', version) end
  local servable, rest, first = math.min(life, runway), ends - now - runway, prints:match('%S+') or ''
  if tonumber(state[6] or -1) ~= servable then put('l', servable) end
  if margin ~= rest or not state[8] then put('k', rest) end
  if (state[9] or '') ~= first then put('p', first) end
  local not_before = renew_in > runway and now + renew_in or 0
  if tonumber(state[10] or 0) ~= not_before then put('n', not_before) end
  if failed then end_failures() end
  redis.call('SET', token, sealed, 'PX', math.max(1, runway))
  redis.call('HSET', client, unpack(fields))
  redis.call('ZADD', due, now + renew_in, id)
  if troubled then redis.call('ZREM', trouble, id) end
  redis.call('PUBLISH', channel, 'renewed ' .. id .. ' ' .. generation)
  return { 'stored', news }
end

local answers, failed, last = {}, 0, nil
for i = 1, #KEYS / 4 do
  local k, a = 4 * i, 6 * i
  local went_well, answer =
    pcall(commit, KEYS[k - 3], KEYS[k - 2], KEYS[k - 1], KEYS[k], unpack(ARGV, a - 3, a + 2))
  if not went_well then
    failed, last = failed + 1, answer
    answer = { 'failed', type(answer) == 'table' and answer.err or tostring(answer) }
  end
  answers[i] = answer
end
if failed > 0 and failed == #answers then error(last, 0) end
return answers
