-- The order of ready tasks, which is the score in READY: priority * 2^43 + sequence.
local SEQUENCES = 8796093022208

-- A score that is a whole number, as the server tells it: some versions write a round one with an exponent.
local function whole_text(score)
  return string.find(score, 'e', 1, true) and digits(tonumber(score)) or score
end
