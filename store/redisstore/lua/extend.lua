-- extend makes a bucket key live long enough, never shorter. It leaves keys
-- alone that aren't ours.
-- KEYS[1] bucket hash
-- ARGV[1] milliseconds it must live at least, ARGV[2] milliseconds to set if
--   it would not; the difference spares the other writers of the tick a write
-- Returns 1 if the lifetime was set, else 0.
local k = KEYS[1]
if redis.call('PTTL', k) >= tonumber(ARGV[1]) or redis.call('TYPE', k).ok ~= 'hash' then return 0 end
return redis.call('PEXPIRE', k, ARGV[2])
