-- status reads the store's time and where the ledger stands. Time is read
-- beside the ledger, so that a Cluster has one clock and not one a master.
-- KEYS[1] ledger
-- Returns {seconds, microseconds, head}; the first two are false where TIME is
-- denied, head is {v, epoch, rev, commit} or false if the key isn't ours.
local t = redis.pcall('TIME')
local h = redis.pcall('HMGET', KEYS[1], 'v', 'epoch', 'rev', 'commit')
return {t[1] or false, t[2] or false, not h.err and h}
