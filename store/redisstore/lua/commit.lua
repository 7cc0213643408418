-- commit compares, then sets. Nothing is written before everything was
-- checked. The first write is one that a full memory doesn't refuse: a server
-- without allow-oom (before Redis 7) then lets the others pass, too.
-- KEYS[1] ledger
-- ARGV[1] commit id, [2] epoch, [3] lifetime in ms, [4] log entries to keep,
--   [5] number of conditions, [6] of puts, [7] of deletes, [8] bytes of keys to
--   keep in the log, then the conditions as key, commit id or ''; the puts as
--   key, value; the deletes as key
-- Returns {'ok', rev}, {'epoch'}, {'conflict', key}, {'foreign', type} or
--   {'version', v}.
local k, id = KEYS[1], ARGV[1]
local kind = redis.call('TYPE', k).ok
if kind == 'none' then return {'epoch'} end
if kind ~= 'hash' then return {'foreign', kind} end
local head = redis.call('HMGET', k, 'v', 'epoch', 'rev', 'c:' .. id, 'log')
if head[1] ~= '1' then return {'version', head[1] or ''} end
if head[2] ~= ARGV[2] then return {'epoch'} end
if head[4] then return {'ok', head[4]} end
local rev = tonumber(head[3])
if not rev then return {'foreign', 'hash without revision'} end

local at = 9
for _ = 1, tonumber(ARGV[5]) do
  local v = redis.call('HGET', k, 'r:' .. ARGV[at])
  local have = v and string.match(v, '^%d+ (%x+) ') or ''
  if have ~= ARGV[at + 1] then return {'conflict', ARGV[at]} end
  at = at + 2
end

redis.call('PEXPIRE', k, ARGV[3])
rev = string.format('%016.0f', rev + 1)
local prefix = rev .. ' ' .. id .. ' '
local set, touched = {}, {id}
for _ = 1, tonumber(ARGV[6]) do
  local key = ARGV[at]
  touched[#touched + 1] = #key .. ':' .. key
  set[#set + 1] = 'r:' .. key
  set[#set + 1] = prefix .. ARGV[at + 1]
  if #set >= 200 then
    redis.call('HSET', k, unpack(set))
    set = {}
  end
  at = at + 2
end
for _ = 1, tonumber(ARGV[7]) do
  local key = ARGV[at]
  if redis.call('HDEL', k, 'r:' .. key) == 1 then
    touched[#touched + 1] = #key .. ':' .. key
  end
  at = at + 1
end
local entry = table.concat(touched)

-- The log is bounded in commits and in bytes. Of a commit whose keys are
-- dropped the id stays, and a mark that is no key: who comes from before it
-- gets a snapshot. Field log: up to which revision, and how many bytes of keys
-- are left after it. The latest commit keeps its keys, however many.
local function logged(r) return 'l:' .. string.format('%016.0f', r) end
local this, oldest = tonumber(rev), tonumber(rev) - tonumber(ARGV[4])
local from, bytes = string.match(head[5] or '', '^(%d+) (%d+)$')
from, bytes = tonumber(from or 0), tonumber(bytes or 0) + #entry - 32
local old = redis.call('HGET', k, logged(oldest))
if old then
  redis.call('HDEL', k, logged(oldest), 'c:' .. string.sub(old, 1, 32))
  if oldest > from then bytes = bytes - (#old - 32) end
end
from = math.max(from, oldest)
while bytes > tonumber(ARGV[8]) and from < this - 1 do
  from = from + 1
  old = redis.call('HGET', k, logged(from))
  if old and #old > 32 then
    bytes = bytes - (#old - 32)
    redis.call('HSET', k, logged(from), string.sub(old, 1, 32) .. '!')
  end
end
if from >= this - 1 then bytes = #entry - 32 end

local n = #set
set[n + 1], set[n + 2] = 'rev', rev
set[n + 3], set[n + 4] = 'commit', id
set[n + 5], set[n + 6] = 'c:' .. id, rev
set[n + 7], set[n + 8] = 'l:' .. rev, entry
set[n + 9], set[n + 10] = 'log', string.format('%.0f %.0f', from, math.max(bytes, 0))
redis.call('HSET', k, unpack(set))
return {'ok', rev}
