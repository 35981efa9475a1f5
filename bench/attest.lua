-- attest.lua: wrk posts the requests of many platforms in turn.
local bodies = {}
for line in io.lines(os.getenv("REQUESTS")) do bodies[#bodies + 1] = line end
local i = 0
request = function()
  i = i % #bodies + 1
  return wrk.format("POST", "/attest/SgxEnclave?api-version=2022-08-01", { ["Content-Type"] = "application/json" }, bodies[i])
end
