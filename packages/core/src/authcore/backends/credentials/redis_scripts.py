"""The steps of the Redis store that must be one: scripts in Lua, over keys of one slot, each of which is declared.

A credential is `<end>:<family>:<seeded>:<state>`, or the empty mark of a seed whose credential has ended. A user's set
has three sorts of members, by the microsecond at which they are over: `t<digest>:<family>` is a credential, `x<family>`
a family that was revoked, `g<family>` one whose token was consumed, so that its successor may be on the way.

A full server refuses a script at its first write, if that one takes room, and never after it. So what makes or changes
a credential begins with the credential, and is refused whole; what ends one begins by removing, and is never refused.
"""

from __future__ import annotations

_COMMON = """
local now = tonumber(ARGV[1])
local function prune(set) redis.call('ZREMRANGEBYSCORE', set, '-inf', ARGV[2]) end
local function keep(set, ms)
    if redis.call('PTTL', set) < tonumber(ms) then redis.call('PEXPIRE', set, ms) end
end
local function read(key)
    local value = redis.call('GET', key)
    if not value then return nil end
    local over, family, seeded = string.match(value, '^(%d+):([^:]+):(%d):')
    return value, tonumber(over), family, seeded
end
local function revoked(set, family)
    local over = redis.call('ZSCORE', set, 'x' .. family)
    return over and tonumber(over) > now
end
local function finish(key, seeded)
    if seeded == '1' then redis.call('SET', key, '', 'PX', ARGV[4]) else redis.call('DEL', key) end
end
"""

PERSIST = (
    _COMMON
    + """
local token, set = KEYS[1], KEYS[2]
local digest, over, ms, family, body, seeded = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local value = over .. ':' .. family .. ':' .. seeded .. ':' .. body
if revoked(set, family) then return 'revoked' end
local present, ends = read(token)
local over_already = ends and ends <= now
-- A random token that is there already is this very call, sent again.
if present and not over_already and (seeded == '1' or present ~= value) then return 'taken' end
redis.call('SET', token, value, 'PX', ms)
prune(set)
redis.call('ZADD', set, over, 't' .. digest .. ':' .. family)
keep(set, ms + ARGV[4])
return 'made'
"""
)

REPLACE = (
    _COMMON
    + """
local token, set = KEYS[1], KEYS[2]
local digest, over, ms, family, body = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local present, ends, before, seeded = read(token)
if not ends or ends <= now then return 'gone' end
if revoked(set, family) then return 'revoked' end
redis.call('SET', token, over .. ':' .. family .. ':' .. seeded .. ':' .. body, 'PX', ms)
prune(set)
redis.call('ZREM', set, 't' .. digest .. ':' .. before)
redis.call('ZADD', set, over, 't' .. digest .. ':' .. family)
keep(set, ms + ARGV[4])
return 'made'
"""
)

END = (
    _COMMON
    + """
local token, set = KEYS[1], KEYS[2]
local value, ends, family, seeded = read(token)
if not ends then return false end
prune(set)
finish(token, seeded)
redis.call('ZREM', set, 't' .. ARGV[5] .. ':' .. family)
if family ~= '-' then
    redis.call('ZADD', set, ARGV[3], 'g' .. family)
    keep(set, ARGV[4])
end
return value
"""
)

END_MANY = (
    _COMMON
    + """
local set, wanted, ended, found, families = KEYS[1], ARGV[5], 0, {}, {}
prune(set)
for i = 2, #KEYS do
    local value, ends, family, seeded = read(KEYS[i])
    if not ends or wanted == '' or family == wanted then
        if ends then finish(KEYS[i], seeded) end
        if ends and ends > now then ended = ended + 1 end
        redis.call('ZREM', set, ARGV[4 + i])
    end
end
if wanted ~= '' then families[wanted] = true end
for _, member in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    local sort, family = string.sub(member, 1, 1), string.match(member, ':(.+)$') or string.sub(member, 2)
    if sort ~= 'x' and (wanted == '' or family == wanted) then
        if family ~= '-' then families[family] = true end
        if sort == 't' and #found < 1000 then found[#found + 1] = member end
    end
end
for family in pairs(families) do
    redis.call('ZADD', set, ARGV[3], 'x' .. family)
    keep(set, ARGV[4])
end
return {ended, unpack(found)}
"""
)

MEMBERS = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf')
"""

VALUES = """
local values = {}
for i, key in ipairs(KEYS) do values[i] = redis.call('GET', key) end
return values
"""

ADD = """
local present = redis.call('GET', KEYS[1])
local denied = present and tonumber(present) > tonumber(ARGV[1])
if denied and tonumber(present) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return denied and 0 or 1
"""
