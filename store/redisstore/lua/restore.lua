-- restore puts a staged offer in the ledger's place if it is the better one,
-- and opens the ledger if asked to.
-- KEYS[1] ledger, KEYS[2] staging hash
-- ARGV[1] rev of the offer, [2] number of staged fields, [3] epoch to open or
--   '', [4] lifetime in ms
-- Returns {'ok'}, {'open'} if an epoch is open, {'lost'} if the staged fields
--   aren't all there, {'foreign', type} or {'version', v}.
local k, staged = KEYS[1], KEYS[2]
local kind = redis.call('TYPE', k).ok
if kind ~= 'none' and kind ~= 'hash' then return {'foreign', kind} end
local better = true
if kind == 'hash' then
  local head = redis.call('HMGET', k, 'v', 'epoch', 'rev')
  if head[1] ~= '1' then return {'version', head[1] or ''} end
  if head[2] then return {'open'} end
  better = tonumber(ARGV[1]) > (tonumber(head[3]) or -1)
end
if better then
  if redis.call('TYPE', staged).ok ~= 'hash' or redis.call('HLEN', staged) ~= tonumber(ARGV[2]) then
    return {'lost'}
  end
  redis.call('UNLINK', k)
  redis.call('RENAME', staged, k)
end
redis.call('PEXPIRE', k, ARGV[4])
if ARGV[3] ~= '' then redis.call('HSET', k, 'epoch', ARGV[3]) end
return {'ok'}
