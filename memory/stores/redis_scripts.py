"""What the Redis store sends to a server: commands, and scripts for what happens in one step.

The scripts use core commands of Redis 5 and touch no key but those they are given, all in one slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from memory.flow import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = (
    "ACQUIRE",
    "BEGIN",
    "EXTEND",
    "FIND",
    "FORGET",
    "HOLDER",
    "RELEASE",
    "TAIL",
    "Batch",
    "Command",
    "Lua",
    "Script",
)


@dataclass(frozen=True, slots=True)
class Lua:
    """A script."""

    text: str
    sha: str
    """What servers know it by."""


@dataclass(frozen=True, slots=True)
class Command(Effect[Any]):
    """One command; the reply is the server's."""

    words: tuple[Any, ...]
    raw: bool = True
    """Whether texts of the reply are bytes; if not, it is made of the reply what redis-py makes."""


@dataclass(frozen=True, slots=True)
class Batch(Effect["list[Any]"]):
    """Commands that need not happen together, sent at once; the reply has all of theirs."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Script(Effect[Any]):
    """One script; the reply is what it returns."""

    lua: Lua
    keys: tuple[str, ...]
    values: Sequence[Any]


def _lua(text: str) -> Lua:
    return Lua(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


# An append whose reply got lost is tried again: its first row then has its token already.
_CHECK = """
local log, meta, owner, logs, names, by_hash, compactions, by_length = unpack(KEYS)
local expected, token, count, length, messages, compacted = unpack(ARGV, 1, 6)
expected, count = tonumber(expected), tonumber(count)
local version = redis.call('LLEN', log)
if version ~= expected then
  local first = version >= expected + count and redis.call('LINDEX', log, expected)
  if first and string.match(string.sub(first, 1, 99), '^%S+ (%S+) ') == token then
    return {1, expected + count}
  end
  return {0, version}
end
if count == 0 then return {1, version} end
local last = 6 + count
"""

_PUSH = """
for at = 7, last, 1000 do
  redis.call('RPUSH', log, unpack(ARGV, at, math.min(at + 999, last)))
end
local time = redis.call('TIME')
local updated = time[1] .. string.format('%06d', time[2])
redis.call('HSET', meta, 'updated', updated, 'records', version + count)
if length ~= '' then redis.call('HSET', meta, 'length', length) end
if messages ~= '0' then redis.call('HINCRBY', meta, 'messages', messages) end
if compacted ~= '0' then redis.call('HINCRBY', meta, 'compactions', compacted) end
return {1, version + count}
"""

# A new log: of an owner without conversations the caller has to list the user first.
_BEGIN = """
if version == 0 then
  local digest, namespace, user, name, root, listed = unpack(ARGV, last + 1, last + 6)
  if name ~= '' then
    if listed == '0' and redis.call('EXISTS', names) == 0 then return {2, 0} end
    redis.call('ZADD', names, 0, name)
  end
  redis.call('HSET', owner, 'namespace', namespace, 'user', user)
  redis.call('SADD', logs, digest)
  redis.call('HSET', meta, 'name', name, 'root', root)
end
"""

# Orders number the compactions of an owner; `index` says under what each of a log is found.
_INDEX = """
local index = redis.call('HGET', meta, 'index') or ''
for at = last + 7, #ARGV, 3 do
  local row, adopted, hashes = unpack(ARGV, at, at + 2)
  local order = redis.call('HINCRBY', owner, 'order', 1)
  redis.call('HSET', compactions, order, ARGV[7 + row])
  redis.call('ZADD', by_length, adopted, adopted .. ':' .. order)
  for hash in string.gmatch(hashes, '[^,]+') do
    local others = redis.call('HGET', by_hash, hash)
    redis.call('HSET', by_hash, hash, others and others .. ' ' .. order or order)
  end
  index = index .. order .. ':' .. adopted .. ':' .. hashes .. ' '
end
if index ~= '' then redis.call('HSET', meta, 'index', index) end
"""

EXTEND = _lua(_CHECK + _PUSH)
BEGIN = _lua(_CHECK + _BEGIN + _INDEX + _PUSH)

# What a reader has is the beginning of the log only if its last row is there still.
TAIL = _lua("""
local known = tonumber(ARGV[1])
local last = redis.call('LINDEX', KEYS[1], known - 1)
if not last or string.match(string.sub(last, 1, 99), '^%S+ (%S+) ') ~= ARGV[2] then known = 0 end
return {known, redis.call('LRANGE', KEYS[1], known, -1)}
""")

FIND = _lua("""
local hashes, seen, orders, found = {}, {}, {}, {}
for hash in string.gmatch(ARGV[1], '[^,]+') do table.insert(hashes, hash) end
for at = 1, #hashes, 1000 do
  local held = redis.call('HMGET', KEYS[1], unpack(hashes, at, math.min(at + 999, #hashes)))
  for _, some in ipairs(held) do
    for order in string.gmatch(some or '', '%d+') do
      if not seen[order] then table.insert(orders, tonumber(order)) end
      seen[order] = true
    end
  end
end
table.sort(orders)
for _, order in ipairs(orders) do
  table.insert(found, redis.call('HGET', KEYS[2], order))
end
return {orders, found}
""")

# Whatever stands under the keys of a log, it goes; so those are read with `pcall`.
FORGET = _lua("""
local receipt, owner, logs, names, by_hash, compactions = unpack(KEYS, 1, 6)
local by_length, leases, till = unpack(KEYS, 7, 9)
local done = redis.call('GET', receipt)
if done then return done end
local function unindex(entry)
  local order, adopted, hashes = string.match(entry, '^(%d+):(%d+):(.*)$')
  if not order then return end
  for hash in string.gmatch(hashes, '[^,]+') do
    local kept = {}
    for other in string.gmatch(redis.call('HGET', by_hash, hash) or '', '%d+') do
      if other ~= order then table.insert(kept, other) end
    end
    if #kept == 0 then redis.call('HDEL', by_hash, hash)
    else redis.call('HSET', by_hash, hash, table.concat(kept, ' ')) end
  end
  redis.call('HDEL', compactions, order)
  redis.call('ZREM', by_length, adopted .. ':' .. order)
end
local gone, records, messages, compacted, leased = 0, 0, 0, 0, 0
for at = 2, #ARGV do
  local log, meta = KEYS[6 + 2 * at], KEYS[7 + 2 * at]
  local size = redis.pcall('LLEN', log)
  local held = redis.pcall('HMGET', meta, 'messages', 'compactions', 'name', 'index')
  for entry in string.gmatch(held[4] or '', '%S+') do unindex(entry) end
  if held[3] then redis.call('ZREM', names, held[3]) end
  messages = messages + (tonumber(held[1] or 0) or 0)
  compacted = compacted + (tonumber(held[2] or 0) or 0)
  records = records + (tonumber(size) or 0)
  redis.call('SREM', logs, ARGV[at])
  gone = gone + math.min(1, redis.call('DEL', log, meta))
end
if redis.call('EXISTS', logs) == 0 then
  redis.call('DEL', owner, names, by_hash, compactions, by_length)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, field in ipairs(redis.call('HKEYS', leases)) do
  if ARGV[1] == 'all' or string.sub(field, 1, #ARGV[2] + 1) == ARGV[2] .. ':' then
    if tonumber(redis.call('ZSCORE', till, field) or 0) > now then leased = leased + 1 end
    redis.call('HDEL', leases, field)
    redis.call('ZREM', till, field)
  end
end
local named = redis.call('ZCARD', names)
local counts = table.concat({gone, records, messages, compacted, leased, named}, ' ')
if gone + leased > 0 then redis.call('SET', receipt, counts, 'PX', 60000) end
return counts
""")

# Leases of an owner share two keys, so that `FORGET` knows all of them. Those that have run out go
# with the next one that is taken, or with the keys, which expire with the last one.
ACQUIRE = _lua("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('HDEL', KEYS[1], old)
  redis.call('ZREM', KEYS[2], old)
end
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder and holder ~= ARGV[2] then
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) > now then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], last)
redis.call('PEXPIREAT', KEYS[2], last)
return 1
""")

HOLDER = _lua("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) <= now then return false end
return redis.call('HGET', KEYS[1], ARGV[1])
""")

RELEASE = _lua("""
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return 1
""")
