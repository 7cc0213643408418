-- names adds names, each unless its id is taken, notes until when each is
-- needed, and lets go of some that nobody has needed since. Without names it
-- only does the last and renews lifetimes.
-- KEYS[1] names hash, KEYS[2] sorted set: until when (Unix ms) an id is needed
-- ARGV[1] width of a tick in ms, ARGV[2] the caller's time in Unix ms, used
--   where TIME is denied
-- ARGV[3] ms for which the names are needed at least, ARGV[4] ms to set if one
--   would not be; the difference spares the others who use it a write
-- ARGV[5], ARGV[6] the same for the lifetimes of the keys
-- ARGV[7] what the set of names is called if it begins here: whoever sees
--   another one than before knows that names were lost
-- ARGV[8...] field and text of each name
-- Returns {'ok', width of a tick, positions of the names, from 1, whose id
-- stands for another text}, or {'foreign', key} if a key isn't ours.
local h, z = KEYS[1], KEYS[2]
for k, want in pairs({[h] = 'hash', [z] = 'zset'}) do
  local is = redis.call('TYPE', k).ok
  if is ~= want and is ~= 'none' then return {'foreign', k} end
end
local now, t = tonumber(ARGV[2]), redis.pcall('TIME')
if t[1] then now = t[1] * 1000 + math.floor(t[2] / 1000) end
local width, ids, texts = redis.call('HGET', h, 'tick'), {}, {}
for i = 8, #ARGV, 2 do
  ids[#ids + 1], texts[#texts + 1] = ARGV[i], ARGV[i + 1]
end
local reply = {'ok', width}
if #ids > 0 then
  if not width then
    redis.call('HSET', h, 'tick', ARGV[1])
    reply[2] = ARGV[1]
  end
  redis.call('HSETNX', h, 'set', ARGV[7])
  local stored, needed = redis.call('HMGET', h, unpack(ids)), redis.call('ZMSCORE', z, unpack(ids))
  for i, id in ipairs(ids) do
    local added = not stored[i] and redis.call('HSETNX', h, id, texts[i]) == 1
    if not added and (stored[i] or redis.call('HGET', h, id)) ~= texts[i] then
      reply[#reply + 1] = i
    elseif tonumber(needed[i] or 0) < now + ARGV[3] then
      redis.call('ZADD', z, 'GT', string.format('%.0f', now + ARGV[4]), id)
    end
  end
end
local gone = redis.call('ZRANGEBYSCORE', z, '-inf', string.format('(%.0f', now), 'LIMIT', 0, 2 * #ids + 100)
if #gone > 0 then
  redis.call('HDEL', h, unpack(gone))
  redis.call('ZREM', z, unpack(gone))
end
for _, k in ipairs(KEYS) do
  if redis.call('PTTL', k) < tonumber(ARGV[5]) then redis.call('PEXPIRE', k, ARGV[6]) end
end
return reply
