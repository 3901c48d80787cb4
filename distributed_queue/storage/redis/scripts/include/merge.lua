-- Several sorted indexes made one.
local function is_before(one, other)
  local score, other_score = tonumber(one.flat[one.at + 1]), tonumber(other.flat[other.at + 1])
  if score ~= other_score then return score < other_score end
  return precedes(one.flat[one.at], other.flat[other.at])
end

-- Add what a command gave of an index: id, score, id, score …
local function add_list(lists, index, flat)
  if #flat > 0 then lists[#lists + 1] = {index = index, flat = flat, at = 1} end
end

-- Call visit(id, score, index) for the first `limit` entries of all lists, in the order of (score, id).
local function visit_merged(lists, limit, visit)
  for _ = 1, limit do
    local nearest = 1
    for nth = 2, #lists do
      if is_before(lists[nth], lists[nearest]) then nearest = nth end
    end
    local list = lists[nearest]
    if not list then return end
    visit(list.flat[list.at], list.flat[list.at + 1], list.index)
    list.at = list.at + 2
    if list.at > #list.flat then table.remove(lists, nearest) end
  end
end
