#include "api/body.hpp"
#include "api/sql_route.hpp"

namespace orch::bridge {

namespace {

#define ORCH_REDRIVEN "select json_build_object('items', coalesce(json_agg(json_build_object('run_id', r.run_id, 'task_id', r.task_id)), '[]')) from "

Handler redrive_one() { return with_fields({{"input"}}, call(ORCH_REDRIVEN "orch.redrive($1::bigint, $2::jsonb->'input') r", {in_path("id"), in_body()})); }

}  // namespace

std::span<const Route> dead_letter_routes()
{
    using enum Minimum;
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/dead-letters",
         viewer,
         "listDeadLetters",
         page("select row_to_json(x), x.id from (select d.id, d.run_id, d.task_id, d.workflow, d.error, d.attempts, d.fingerprint, d.created_at, d.resolution, "
              "d.state, d.resolved_at,"
              " d.resolved_by, d.tenant from orch.dead_letters d where ($2::bigint is null or d.id < $2::bigint) and ($3::text is null or d.workflow = $3)"
              " and ($4::text is null or d.task_id = $4) and ($5::uuid is null or d.run_id = $5::uuid) and ($6::text is null or d.fingerprint = $6)"
              " and ($7::text is null or coalesce(d.resolution, 'open') = $7) order by d.id desc limit $1::int) x",
              {in_query("workflow"), in_query("task"), in_query("run"), in_query("fingerprint"),
               word_in_query("resolution", {"open", "redriven", "discarded"})}),
         {"workflow", "task", "run", "fingerprint", "resolution", "limit", "cursor"}},
        {http::verb::get, "/dead-letters/{id}", viewer, "getDeadLetter",
         one("select row_to_json(d) from orch.dead_letters d where d.id = $1::bigint", {in_path("id")}, "dead letter")},
        {http::verb::delete_, "/dead-letters/{id}", operator_, "discardDeadLetter", done("select orch.discard($1::bigint)", {in_path("id")})},
        {http::verb::post,
         "/dead-letters/redrive",
         operator_,
         "redriveDeadLetters",
         with_fields({{"filter", Member::object, true}, {"input"}},
                     call(ORCH_REDRIVEN "orch.redrive(filter => $1::jsonb->'filter', input => $1::jsonb->'input') r", {in_body()})),
         {},
         BodyKind::json},
        {http::verb::post, "/dead-letters/{id}/redrive", operator_, "redriveDeadLetter", redrive_one(), {}, BodyKind::json},
        {http::verb::post, "/dead-letters/{id}/retry", operator_, "retryDeadLetter", redrive_one(), {}, BodyKind::json},
    };
    return routes;
}

#undef ORCH_REDRIVEN

}  // namespace orch::bridge
