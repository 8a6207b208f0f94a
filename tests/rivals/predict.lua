-- wrk's script: one 600x450 JPEG, posted again and again. Run from the project's root.
local file = assert(io.open("samples/lesion-1.jpg", "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "image/jpeg"
file:close()

function done(summary, latency)
  local seconds = summary.duration / 1e6
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("%.1f requests/s  p50 %.1f ms  p95 %.1f ms  p99 %.1f ms  failed %d\n", summary.requests / seconds,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3, failed))
end
