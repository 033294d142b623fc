-- Posts the bodies of a file (BENCH_BODIES, one a line) in turn, as the caller
-- BENCH_KEY, and prints what was measured as one line of JSON. Where a body
-- holds TURN, another word stands each time.

local TURN = "@@turn@@"
local requests, at = {}, 0
-- Another beginning each second, so that no two runs send the same.
local sent = (os.time() % 1000000) * 200000

-- As many letters as TURN has, which were not sent before.
local function word()
    sent = sent + 1
    local number, letters = sent, {}
    for place = 1, #TURN do
        letters[place] = 97 + number % 26
        number = math.floor(number / 26)
    end
    return string.char(unpack(letters))
end

function init()
    local headers = {
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"),
    }
    for body in io.lines(os.getenv("BENCH_BODIES")) do
        local whole = wrk.format("POST", nil, headers, body)
        local from, upto = whole:find(TURN, 1, true)
        if from then
            whole = { whole:sub(1, from - 1), whole:sub(upto + 1) }
        end
        requests[#requests + 1] = whole
    end
end

function request()
    at = at % #requests + 1
    local whole = requests[at]
    if type(whole) == "table" then
        return whole[1] .. word() .. whole[2]
    end
    return whole
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
