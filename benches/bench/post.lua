-- Posts the bodies of a file (BENCH_BODIES, one a line) in turn, as the caller
-- BENCH_KEY, and prints what was measured as one line of JSON.

local requests, at = {}, 0

function init()
    local headers = {
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"),
    }
    for body in io.lines(os.getenv("BENCH_BODIES")) do
        requests[#requests + 1] = wrk.format("POST", nil, headers, body)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
        '"refused":%d,"broken":%d,"timeouts":%d}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99), latency.max,
        errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
