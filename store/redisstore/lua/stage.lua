-- stage writes a part of an offered ledger to a key of its own.
-- KEYS[1] staging hash
-- ARGV[1] lifetime in ms, then field, value, ...
-- Returns the number of fields that are staged now.
local k = KEYS[1]
redis.call('PEXPIRE', k, ARGV[1])
for first = 2, #ARGV, 200 do
  redis.call('HSET', k, unpack(ARGV, first, math.min(first + 199, #ARGV)))
end
redis.call('PEXPIRE', k, ARGV[1])
return redis.call('HLEN', k)
