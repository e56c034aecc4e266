-- The same request all the time.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "figures.lua")
