// lease/scripts: Lua scripts that Redis runs in one step, with nothing else in between. A key of the
// wrong kind, which is not one of ours, counts as one that somebody else has.
#pragma once

namespace lease::scripts {

// KEYS next. ARGV id low places count first milliseconds. Takes `count` free ports in a row for `id`,
// for that long, and returns the first; -1: there are none. It tries from `first` on or, if that is 0,
// where it ended the last time.
constexpr char kTake[] = R"(
local low, places, count = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local begin = tonumber(ARGV[5])
if begin == 0 then
  local said = redis.pcall('GET', KEYS[1])
  begin = type(said) == 'string' and tonumber(said) or low
end
if not (begin >= low and begin < low + places) then begin = low end
begin = math.floor(begin)
for i = 0, places - 1 do
  local first = low + (begin - low + i) % places
  local free = true
  for j = first, first + count - 1 do
    if redis.call('EXISTS', 'sallyport:lease-port:' .. j) == 1 then free = false break end
  end
  if free then
    for j = first, first + count - 1 do
      redis.call('SET', 'sallyport:lease-port:' .. j, ARGV[1], 'PX', ARGV[6])
    end
    redis.call('SET', KEYS[1], first + count)
    return first
  end
end
return -1
)";

// KEYS lease gone port... ARGV id record by milliseconds. 1: it is on record, with these ports; 0: one
// of them is somebody else's; -1: it was ended. Then nothing is changed.
constexpr char kKeep[] = R"(
if redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
for i = 3, #KEYS do
  local whose = redis.pcall('GET', KEYS[i])
  if whose and whose ~= ARGV[1] then return 0 end
end
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[4]) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'by', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
)";

// KEYS lease gone port... ARGV id by milliseconds. Removes the record and frees its ports; for that
// long it cannot come back. With `by`, only if no other node wrote it last: then 0.
constexpr char kEnd[] = R"(
if ARGV[2] ~= '' then
  local by = redis.pcall('HGET', KEYS[1], 'by')
  if type(by) == 'string' and by ~= ARGV[2] then return 0 end
end
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
redis.call('DEL', KEYS[1])
for i = 3, #KEYS do
  if redis.pcall('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
return 1
)";

// KEYS port... ARGV id. Gives back those ports that are id's.
constexpr char kGiveBack[] = R"(
for i = 1, #KEYS do
  if redis.pcall('GET', KEYS[i]) == ARGV[1] then redis.call('DEL', KEYS[i]) end
end
return 1
)";

// KEYS lease... ARGV bytes. The record of each; the empty one for a lease that has none, or one of
// more bytes.
constexpr char kRead[] = R"(
local found = {}
for i = 1, #KEYS do
  local record = redis.pcall('HGET', KEYS[i], 'record')
  found[i] = type(record) == 'string' and #record <= tonumber(ARGV[1]) and record or ''
end
return found
)";

}  // namespace lease::scripts
