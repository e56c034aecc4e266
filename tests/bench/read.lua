-- Reads one of the first COUNT documents of changes.c, another one each time: wrk … URL -- COUNT; URL ends where the key's number begins.
local count, base = 1, ""

init = function(arguments)
  count, base = tonumber(arguments[1]), wrk.path
  math.randomseed(os.time())
end

request = function()
  return wrk.format("GET", string.format("%s%09d", base, math.random(0, count - 1) * 7919 % 100000007))
end

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "figures.lua")
