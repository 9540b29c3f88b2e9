-- wrk: send prepared requests in turn. Arguments: their file (each ends with a NUL byte), and how many to skip.

local requests, threads = {}, {}
position = 0 -- global, so that done() can get it from the thread

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    local file = assert(io.open(args[1], "rb"))
    for request in file:read("*a"):gmatch("(%Z+)%z") do
        table.insert(requests, request)
    end
    file:close()
    position = tonumber(args[2])
end

function request()
    local next = requests[position % #requests + 1]
    position = position + 1
    return next
end

function done(summary, latency, _)
    local failed = summary.errors
    print(string.format(
        "RESULT %d %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        failed.status + failed.connect + failed.read + failed.write + failed.timeout, threads[1]:get("position")
    ))
end
