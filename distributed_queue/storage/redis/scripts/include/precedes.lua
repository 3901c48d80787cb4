-- Byte order, which is the order of equal scores in an index. Lua's own < depends on the server's locale.
local function precedes(one, other)
  local length = math.min(#one, #other)
  for i = 1, length do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a < b end
  end
  return #one < #other
end
