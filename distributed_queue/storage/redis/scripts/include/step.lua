-- The end of a step: everything that it changed is written.
local function finish_step()
  flush_moves()
  save_counters()
  publish()
  save_meta()
end
