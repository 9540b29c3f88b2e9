// A workflow through openapi-fetch and the types that openapi-typescript has made as `api.d.ts`: `workflow.js URL KEY`.
// Its types are checked against them, and it is run.

import { deepStrictEqual as equal, ok } from "node:assert";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const OPAQUE: unknown[] = [null, true, 21.5, "text", "", [1, [2], {}], { a: { b: null } }, [], {}];

const [url = "", key = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

// The data of an answer, which must not be an error.
function of<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  ok(answer.data !== undefined, `${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

for (const value of OPAQUE) {
  const made = of(await client.POST("/api/v1/runs", { body: { inputData: value } }));
  equal([made.inputData, made.metadata, made.startedAt, made.durationMs], [value, null, null, null]);
  const path = { runId: made.id };
  const body = { status: "completed", outputData: value, errorData: value } as const;
  const ended = of(await client.PATCH("/api/v1/runs/{runId}", { params: { path }, body }));
  equal([ended.outputData, ended.errorData, ended.status], [value, value, "completed"]);
  ok(ended.durationMs !== null && ended.durationMs >= 0);
  equal(of(await client.GET("/api/v1/runs/{runId}", { params: { path } })), ended);
  equal(of(await client.DELETE("/api/v1/runs/{runId}", { params: { path } })).deleted, 1);
}

const metadata = { source: "nightly", depth: [1, null] };
const run = of(await client.POST("/api/v1/runs", { body: { inputData: 1, metadata } }));
equal(run.metadata, metadata);
ok(Date.now() - new Date(run.createdAt).getTime() < 3_600_000);
const path = { runId: run.id };

// A type that has been given a name, to show that what has a default may be left out.
const plan: components["schemas"]["CreateTask"] = { runId: run.id, type: "plan", inputData: null };
const parent = of(await client.POST("/api/v1/tasks", { body: plan }));
equal([parent.maxRetries, parent.parentTaskId, parent.queueJobId], [3, null, null]);
const step = { runId: run.id, type: "step", inputData: [1], parentTaskId: parent.id, maxRetries: 0 };
const task = of(await client.POST("/api/v1/tasks", { body: step }));
equal([task.parentTaskId, task.maxRetries, task.inputData], [parent.id, 0, [1]]);
const one = { params: { path: { taskId: task.id } } };
const running = of(await client.PATCH("/api/v1/tasks/{taskId}", { ...one, body: { status: "running", queueJobId: "7" } }));
ok(running.startedAt !== null);
equal(of(await client.GET("/api/v1/tasks/{taskId}", one)), running);
const tasks = await client.GET("/api/v1/tasks", { params: { query: { runId: run.id, status: ["running", "failed"] } } });
equal(of(tasks).items, [running]);
const runs = of(await client.GET("/api/v1/runs", { params: { query: { status: ["pending"], limit: 1 } } }));
equal([runs.items[0]?.id, runs.items[0]?.totalTasks, runs.limit], [run.id, 2, 1]);

const ids: string[] = [];
for (const value of OPAQUE) {
  const body = { taskId: task.id, key: "reading", value, tags: ["roof", "raw"] };
  const entry = of(await client.POST("/api/v1/runs/{runId}/data", { params: { path }, body }));
  equal([entry.value, entry.tags], [value, ["roof", "raw"]]);
  ids.push(entry.id);
}
const last = { ...path, dataId: ids.at(-1) ?? "" };
const change = { add: ["checked"], remove: ["raw"] };
const entry = of(await client.PATCH("/api/v1/runs/{runId}/data/{dataId}/tags", { params: { path: last }, body: change }));
equal(entry.tags, ["roof", "checked"]);
equal(of(await client.GET("/api/v1/runs/{runId}/data/{dataId}", { params: { path: last } })), entry);

type Query = NonNullable<paths["/api/v1/runs/{runId}/data"]["get"]["parameters"]["query"]>;
const query = async (query: Query) => of(await client.GET("/api/v1/runs/{runId}/data", { params: { path, query } }));
equal((await query({ keys: ["reading", "other"] })).data, [entry]);
const tagged = { tags: ["roof", "raw"], tagMode: "all", includeAll: "true", keyStartsWith: ["read", "x"] } as const;
equal((await query({ ...tagged, tags: [...tagged.tags], keyStartsWith: [...tagged.keyStartsWith] })).pagination.total, OPAQUE.length - 1);
equal((await query({ tags: [] })).pagination.total, 1);

const remove = (query: { key?: string; id?: string }) =>
  client.DELETE("/api/v1/runs/{runId}/data", { params: { path, query } });
equal((await remove({ key: "reading", id: entry.id })).error?.details[0]?.field, "key");
equal(of(await remove({ id: entry.id })).deleted, 1);
equal(of(await remove({ key: "reading" })).deleted, OPAQUE.length - 1);

equal(of(await client.GET("/health")).services.database, "connected");
equal(of(await client.GET("/api/v1/config")).queues, of(await client.GET("/api/v1/config/queues")));
equal(of(await client.DELETE("/api/v1/runs/{runId}", { params: { path } })).deleted, 1);
equal((await client.GET("/api/v1/runs/{runId}", { params: { path } })).error?.error, "Run not found");
