-- changes finds what was committed after a cursor, from the log.
-- KEYS[1] ledger
-- ARGV[1] epoch, [2] rev, [3] commit id of the cursor, [4] how many commits it
--   may be behind
-- Returns {'ok', rev, commit, key, value or false, rev and commit of the last
--   change, key, ...}, a value of false being a deleted record; {'reset'} if
--   only a snapshot helps; {'foreign', type} or {'version', v}.
local k = KEYS[1]
local kind = redis.call('TYPE', k).ok
if kind == 'none' then return {'reset'} end
if kind ~= 'hash' then return {'foreign', kind} end
local head = redis.call('HMGET', k, 'v', 'epoch', 'rev', 'commit', 'l:' .. ARGV[2])
if head[1] ~= '1' then return {'version', head[1] or ''} end
local from, to = tonumber(ARGV[2]), tonumber(head[3])
if head[2] ~= ARGV[1] or not to or not head[4] or not head[5]
  or string.sub(head[5], 1, 32) ~= ARGV[3] or to < from or to - from > tonumber(ARGV[4]) then
  return {'reset'}
end

local last, fields, keys = {}, {}, {}
for rev = from + 1, to do
  local text = string.format('%016.0f', rev)
  local entry = redis.call('HGET', k, 'l:' .. text)
  if not entry or #entry < 32 then return {'reset'} end
  local mark = text .. ' ' .. string.sub(entry, 1, 32) .. ' '
  local at = 33
  while at <= #entry do
    local colon = string.find(entry, ':', at, true)
    local len = colon and tonumber(string.sub(entry, at, colon - 1))
    if not len or colon + len > #entry then return {'reset'} end
    local key = string.sub(entry, colon + 1, colon + len)
    if not last[key] then
      keys[#keys + 1] = key
      fields[#fields + 1] = 'r:' .. key
    end
    last[key] = mark
    at = colon + len + 1
  end
end

local reply = {'ok', head[3], head[4]}
for first = 1, #keys, 200 do
  local final = math.min(first + 199, #keys)
  local values = redis.call('HMGET', k, unpack(fields, first, final))
  for i = first, final do
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3] = keys[i], values[i - first + 1], last[keys[i]]
  end
end
return reply
