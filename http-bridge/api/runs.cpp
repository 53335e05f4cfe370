// Runs and what hangs on them: seen, and acted on.
#include "api/body.hpp"
#include "api/sql_route.hpp"
#include "api/wait.hpp"

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

const std::string run_there = "select from orch.runs r where r.run_id = $1::uuid";

Source state_of_run()
{
    return word_in_query("state", {"queued", "scheduled", "running", "paused", "cancelling", "succeeded", "failed", "timed_out", "cancelled"});
}

Source state_of_task()
{
    return word_in_query(
        "state", {"pending", "ready", "running", "scheduled", "waiting", "succeeded", "failed", "timed_out", "skipped", "upstream_failed", "cancelled"});
}

/// Rows of a run, all of them: 404 where there is no such run.
Handler of_run(const std::string &query)
{
    return one("select json_build_object('items', coalesce((select json_agg(x) from (" + query +
                   ") x), '[]'), 'next_cursor', null) from orch.runs r where r.run_id = $1::uuid",
               {in_path("run")}, "run");
}

asio::awaitable<Response> result(Bridge &bridge, Request &request)
{
    static const std::string statement =
        "select r.finished_at is not null, json_build_object('run_id', r.run_id, 'state', r.state, 'output', r.output, 'error', r.error)"
        " from orch.runs r where r.run_id = $1::uuid";
    const std::string &run = request.in_path("run");
    bool waited = false;
    const auto wait = preferred_wait(request);
    const Params params{run};
    Rows rows = co_await bridge.pool.run(request.principal, statement, params);
    if (rows.empty()) throw Problem(404, "OR003", "there is no run " + run);
    if (wait && !rows.boolean(0, 0)) {
        waited = co_await wait_for_run(bridge, request.principal, run, *wait);
        rows = co_await bridge.pool.run(request.principal, statement, params);
        if (rows.empty()) throw Problem(404, "OR003", "there is no run " + run);
    }
    Response response = json_response(rows.text(0, 1), rows.boolean(0, 0) ? 200 : 202);
    if (waited) response.with("Preference-Applied", "wait=" + std::to_string(wait->count()));
    co_return response;
}

// In the order of their making, with what makes a line its own as the key.
Handler log_page(const std::string &of_task)
{
    std::vector<Source> sources = {in_path("run")};
    if (!of_task.empty()) sources.push_back(in_path("task"));
    const std::string there = of_task.empty() ? run_there : "select from orch.tasks t where t.run_id = $1::uuid and t.task_id = $2";
    return page("select row_to_json(x), json_build_array(x.at, x.task_id, x.attempt, x.line_no) from (select l.run_id, l.task_id, l.attempt, l.at, l.stream, "
                "l.line, l.line_no"
                " from orch.logs l where l.run_id = $3::uuid" +
                    of_task +
                    " and ($2::jsonb is null or (l.at, l.task_id, l.attempt, l.line_no) > (($2::jsonb->>0)::timestamptz, $2::jsonb->>1, ($2::jsonb->>2)::int, "
                    "($2::jsonb->>3)::int))"
                    " order by l.at, l.task_id, l.attempt, l.line_no limit $1::int) x",
                std::move(sources), there, of_task.empty() ? "run" : "task");
}

std::vector<Route> seen()
{
    using enum Minimum;
    return {
        {http::verb::get,
         "/runs",
         viewer,
         "listRuns",
         page("select row_to_json(x), x.run_id from (select r.run_id, r.workflow, r.version, r.tenant, r.state, r.source, r.idempotency_key, r.tags, "
              "r.priority, r.parent_run_id,"
              " r.created_at, r.run_at, r.started_at, r.finished_at, r.deadline_at, r.traceparent from orch.runs r"
              " where ($2::uuid is null or r.run_id < $2::uuid) and ($3::text is null or r.workflow = $3) and ($4::text is null or r.state = $4)"
              " and ($5::jsonb is null or not exists (select from jsonb_array_elements_text($5::jsonb) t(tag) where case when strpos(t.tag, '=') > 0"
              " then r.tags ->> split_part(t.tag, '=', 1) is distinct from substr(t.tag, strpos(t.tag, '=') + 1) else coalesce(r.tags ? t.tag, false) is not "
              "true end))"
              " and ($6::text is null or r.source = $6) and ($7::timestamptz is null or r.created_at >= $7::timestamptz) and ($8::timestamptz is null or "
              "r.created_at < $8::timestamptz)"
              " and ($9::uuid is null or r.parent_run_id = $9::uuid) and ($10::text is null or r.idempotency_key = $10)"
              " and ($11::uuid is null or r.run_id = $11::uuid) order by r.run_id desc limit $1::int) x",
              {in_query("workflow"), state_of_run(), all_in_query("tag"), in_query("source"), in_query("since"), in_query("until"), in_query("parent"),
               in_query("idempotency_key"), in_query("run")}),
         {"workflow", "state", "tag", "source", "since", "until", "parent", "idempotency_key", "run", "limit", "cursor"}},
        {http::verb::get, "/runs/{run}", viewer, "getRun", one("select row_to_json(r) from orch.runs r where r.run_id = $1::uuid", {in_path("run")}, "run")},
        {http::verb::get,
         "/runs/{run}/tasks",
         viewer,
         "listTasks",
         page("select row_to_json(x), x.task_no from (select t.run_id, t.task_id, t.task_no, t.name, t.state, t.executor, t.handler, t.queue, t.attempt, "
              "t.max_attempts, t.dependencies,"
              " t.error, t.worker, t.ready_at, t.started_at, t.finished_at, t.due_at, t.priority, t.level, t.is_finally, t.progress from orch.tasks t"
              " where t.run_id = $3::uuid and ($2::int is null or t.task_no > $2::int) and ($4::text is null or t.state = $4)"
              // Which rows these are is found out first, since what is shown of a row costs more than to find it.
              " and t.task_no <= (select max(k.task_no) from (select k.task_no from orch.tasks k where k.run_id = $3::uuid and ($2::int is null or k.task_no > "
              "$2::int) and ($4::text is null or k.state = $4) order by k.task_no limit $1::int) k) order by t.task_no limit $1::int) x",
              {in_path("run"), state_of_task()}, "select from orch.runs r where r.run_id = $1::uuid and ($2::text is null or true)", "run"),
         {"state", "limit", "cursor"}},
        {http::verb::get, "/runs/{run}/tasks/{task}", viewer, "getTask",
         one("select row_to_json(t) from orch.tasks t where t.run_id = $1::uuid and t.task_id = $2", {in_path("run"), in_path("task")}, "task")},
        {http::verb::get, "/runs/{run}/tasks/{task}/attempts", viewer, "listAttempts",
         one("select json_build_object('items', coalesce((select json_agg(x) from (select * from orch.attempts a where a.run_id = $1::uuid and a.task_id = $2"
             " order by a.attempt, a.started_at) x), '[]'), 'next_cursor', null) from orch.tasks t where t.run_id = $1::uuid and t.task_id = $2",
             {in_path("run"), in_path("task")}, "task")},
        {http::verb::get, "/runs/{run}/tasks/{task}/logs", viewer, "listTaskLogs", log_page(" and l.task_id = $4"), {"limit", "cursor"}},
        {http::verb::get, "/runs/{run}/logs", viewer, "listLogs", log_page(""), {"limit", "cursor"}},
        {http::verb::get, "/runs/{run}/results", viewer, "getResults", items("select r from orch.results($1::uuid) r", {in_path("run")})},
        {http::verb::get, "/runs/{run}/result", viewer, "getResult", result},
        {http::verb::get, "/runs/{run}/why", viewer, "whyRun", items("select w from orch.why($1::uuid, $2) w", {in_path("run"), in_query("task")}), {"task"}},
        {http::verb::get, "/runs/{run}/explain", viewer, "explainRun", items("select e from orch.explain($1::uuid) e", {in_path("run")})},
        {http::verb::get, "/runs/{run}/replay", viewer, "replayRun", items("select r from orch.replay($1::uuid) r", {in_path("run")})},
        {http::verb::get,
         "/runs/{run}/graph",
         viewer,
         "graphRun",
         plain("select orch.graph($1::uuid, coalesce($2, 'text'))", {in_path("run"), word_in_query("format", {"text", "mermaid", "dot"})}),
         {"format"}},
        {http::verb::get, "/runs/{run}/signals", viewer, "listSignalsOfRun", of_run("select s.* from orch.signals s where s.run_id = r.run_id order by s.no")},
        {http::verb::get, "/runs/{run}/approvals", viewer, "listApprovalsOfRun",
         of_run("select a.* from orch.approvals a where a.run_id = r.run_id order by a.since, a.task_id")},
        {http::verb::get, "/runs/{run}/timers", viewer, "listTimersOfRun",
         of_run("select t.* from orch.timers t where t.run_id = r.run_id order by t.due_at, t.task_id")},
    };
}

std::vector<Route> acted_on()
{
    using enum Minimum;
    return {
        {http::verb::post,
         "/runs/{run}/cancel",
         operator_,
         "cancelRun",
         with_fields({{"force", Member::boolean}},
                     call("select json_build_object('run_id', $1::uuid, 'state', orch.cancel($1::uuid, coalesce(($2::jsonb->>'force')::boolean, false)))",
                          {in_path("run"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/runs/{run}/retry",
         operator_,
         "retryRun",
         with_fields({}, call("select json_build_object('run_id', $1::uuid, 'state', orch.retry($1::uuid))", {in_path("run")})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/runs/{run}/signal",
         operator_,
         "signalRun",
         with_fields({{"name", Member::text, true}, {"payload"}},
                     done("select orch.signal($1::uuid, $2::jsonb->>'name', $2::jsonb->'payload')", {in_path("run"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/runs/{run}/approve",
         viewer,
         "approveTask",
         with_fields({{"task", Member::text, true}, {"approved", Member::boolean}, {"comment", Member::text}, {"form"}},
                     done("select orch.approve($1::uuid, $2::jsonb->>'task', coalesce(($2::jsonb->>'approved')::boolean, true), $2::jsonb->>'comment', "
                          "nullif($2::jsonb->'form', 'null'))",
                          {in_path("run"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/runs/{run}/unpark",
         operator_,
         "unparkRun",
         with_fields({}, done("select orch.unpark($1::uuid)", {in_path("run")})),
         {},
         BodyKind::json},
        {http::verb::post,
         "/runs/{run}/erase",
         admin,
         "eraseRun",
         with_fields({{"reason", Member::text, true}},
                     call("select json_build_object('erased', orch.erase($1::uuid, $2::jsonb->>'reason'))", {in_path("run"), in_body()})),
         {},
         BodyKind::json},
        {http::verb::delete_,
         "/runs/{run}",
         admin,
         "deleteRun",
         done("select orch.delete_run($1::uuid, $2)", {in_path("run"), required_in_query("reason")}),
         {"reason"}},
    };
}

}  // namespace

std::span<const Route> run_routes()
{
    static const std::vector<Route> routes = [] {
        std::vector<Route> all = seen();
        for (Route &route : acted_on()) all.push_back(std::move(route));
        return all;
    }();
    return routes;
}

}  // namespace orch::bridge
