-- wrk, with a thread for each connection: a run with five tasks and five entries, from start to end, again and again.
-- The same 23 requests as `traffic.workflow`. Argument: the API key.

local steps, step, run, tasks = {}, 1, nil, {}

local function add(method, path, body, remember)
    table.insert(steps, { method = method, path = path, body = body, remember = remember })
end

function init(args)
    wrk.headers["Authorization"] = "Bearer " .. args[1]
    wrk.headers["Content-Type"] = "application/json"
    local function of_run(suffix) return function() return "/api/v1/runs/" .. run .. suffix end end
    local function of_task(i) return function() return "/api/v1/tasks/" .. tasks[i] end end

    add("POST", function() return "/api/v1/runs" end, function() return '{"inputData": {"customer": 42}}' end,
        function(id) run = id end)
    for i = 1, 5 do
        add("POST", function() return "/api/v1/tasks" end,
            function() return '{"runId": "' .. run .. '", "type": "step", "inputData": {"part": ' .. i .. '}}' end,
            function(id) tasks[i] = id end)
        add("PATCH", of_task(i), function() return '{"status": "running"}' end)
        add("PATCH", of_task(i), function() return '{"status": "completed", "outputData": {"part": ' .. i .. '}}' end)
        add("POST", of_run("/data"), function()
            return '{"taskId": "' .. tasks[i] .. '", "key": "result.' .. i .. '", "value": {"part": ' .. i
                .. '}, "tags": ["result"]}'
        end)
    end
    add("GET", of_run("/data?keyStartsWith=result."))
    add("PATCH", of_run(""), function() return '{"status": "completed", "outputData": {"parts": 5}}' end)
end

function request()
    local now = steps[step]
    return wrk.format(now.method, now.path(), nil, now.body and now.body())
end

function response(status, _, body)
    local now = steps[step]
    if status > 299 then
        step = 1 -- it counts as an error; begin anew
        return
    end
    if now.remember then
        now.remember(body:match('^{"id":"([^"]+)"'))
    end
    step = step % #steps + 1
end

function done(summary, latency, _)
    local failed = summary.errors
    print(string.format(
        "RESULT %d %d %d %d %d 0", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        failed.status + failed.connect + failed.read + failed.write + failed.timeout
    ))
end
