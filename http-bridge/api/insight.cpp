// What an operator looks at.
#include "api/body.hpp"
#include "api/sql_route.hpp"

namespace orch::bridge {

namespace {

/// A row a workflow: how many of its runs are in which state, and its last twenty. Of the newest ten thousand runs of all, so that it costs the same however
/// many there have been.
const std::string activity =
    "with latest as materialized (select r.workflow, r.run_id, r.state, r.created_at, r.started_at, r.finished_at from orch.runs r order by r.run_id desc"
    " limit 10000),"
    " numbered as (select l.*, row_number() over (partition by l.workflow order by l.run_id desc) as nth from latest l),"
    " latest_of as (select n.workflow, json_agg(json_build_object('run_id', n.run_id, 'state', n.state, 'created_at', n.created_at, 'started_at',"
    " n.started_at, 'finished_at', n.finished_at) order by n.run_id desc) as runs from numbered n where n.nth <= 20 group by n.workflow),"
    " counted as (select l.workflow, l.state, count(*) as runs from latest l group by l.workflow, l.state),"
    " states_of as (select c.workflow, json_object_agg(c.state, c.runs order by c.state) as states from counted c group by c.workflow)"
    " select row_to_json(x) from (select l.workflow, s.states, l.runs as latest from latest_of l join states_of s on s.workflow = l.workflow order by"
    " l.workflow) x";

}  // namespace

std::span<const Route> insight_routes()
{
    using enum Minimum;
    static const std::vector<std::string_view> paging = {"limit", "cursor"};
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/workers",
         viewer,
         "listWorkers",
         page("select row_to_json(x), x.worker from (select w.* from orch.workers w where ($2::text is null or w.worker > $2) and ($3::text is null or w.state "
              "= $3)"
              " order by w.worker limit $1::int) x",
              {word_in_query("state", {"alive", "draining", "lost", "stopped"})}),
         {"state", "limit", "cursor"}},
        {http::verb::get, "/workers/{worker}/tasks", viewer, "listTasksOfWorker",
         one("select json_build_object('items', coalesce((select json_agg(x) from (select t.run_id, r.workflow, t.task_id, t.attempt, t.queue, t.started_at,"
             " t.progress from orch.tasks t join orch.runs r on r.run_id = t.run_id where t.state = 'running' and t.worker = w.worker"
             " order by t.started_at, t.run_id, t.task_id limit 500) x), '[]'), 'next_cursor', null) from orch.workers w where w.worker = $1 limit 1",
             {in_path("worker")}, "worker")},
        {http::verb::get, "/queues", viewer, "listQueues", items("select q from (select * from orch.queues q order by q.queue, q.tenant) q", {})},
        {http::verb::get, "/timers", viewer, "listTimers",
         page("select row_to_json(x), json_build_array(x.due_at, x.run_id, coalesce(x.task_id, '')) from (select t.* from orch.timers t where $2::jsonb is null"
              " or (t.due_at, t.run_id, coalesce(t.task_id, '')) > (($2::jsonb->>0)::timestamptz, ($2::jsonb->>1)::uuid, $2::jsonb->>2)"
              " order by t.due_at, t.run_id, coalesce(t.task_id, '') limit $1::int) x",
              {}),
         paging},
        {http::verb::get, "/circuits", viewer, "listCircuits", items("select c from (select * from orch.circuits c order by c.circuit, c.tenant) c", {})},
        {http::verb::post,
         "/circuits/{circuit}/reset",
         operator_,
         "resetCircuit",
         with_fields({}, call("select json_build_object('reset', orch.reset_circuit($1))", {in_path("circuit")})),
         {},
         BodyKind::json},
        {http::verb::get, "/signals", viewer, "listSignals",
         page("select row_to_json(x), json_build_array(x.run_id, x.no) from (select s.* from orch.signals s where $2::jsonb is null"
              " or (s.run_id, s.no) < (($2::jsonb->>0)::uuid, ($2::jsonb->>1)::int) order by s.run_id desc, s.no desc limit $1::int) x",
              {}),
         paging},
        {http::verb::get, "/approvals", viewer, "listApprovals",
         page("select row_to_json(x), json_build_array(x.since, x.run_id, x.task_id) from (select a.* from orch.approvals a where $2::jsonb is null"
              " or (a.since, a.run_id, a.task_id) > (($2::jsonb->>0)::timestamptz, ($2::jsonb->>1)::uuid, $2::jsonb->>2) order by a.since, a.run_id, a.task_id "
              "limit $1::int) x",
              {}),
         paging},
        {http::verb::get, "/audit", viewer, "listAudit",
         page("select row_to_json(x), json_build_array(x.at, coalesce(x.run_id::text, ''), x.action, coalesce(x.reason, '')) from (select a.* from orch.audit "
              "a where "
              "$2::jsonb is null"
              " or (a.at, coalesce(a.run_id::text, ''), a.action, coalesce(a.reason, '')) < (($2::jsonb->>0)::timestamptz, $2::jsonb->>1, $2::jsonb->>2, "
              "$2::jsonb->>3)"
              " order by a.at desc, coalesce(a.run_id::text, '') desc, a.action desc, coalesce(a.reason, '') desc limit $1::int) x",
              {}),
         paging},
        {http::verb::get, "/activity", viewer, "listActivity", items(activity, {})},
        {http::verb::get, "/checks", viewer, "listChecks", items("select h from orch.health h", {})},
    };
    return routes;
}

}  // namespace orch::bridge
