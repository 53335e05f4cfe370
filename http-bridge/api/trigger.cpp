// Runs are started.
#include "api/body.hpp"
#include "api/etag.hpp"
#include "api/sql_route.hpp"
#include "api/wait.hpp"
#include "server/text.hpp"

#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

// Out of the body, by the database: numbers keep their digits.
#define ORCH_RUN_OPTIONS                                                                                                          \
    "priority => (b.body->>'priority')::int, run_at => (b.body->>'run_at')::timestamptz, tags => nullif(b.body->'tags', 'null')," \
    " timeout => (b.body->>'timeout')::interval, traceparent => nullif($3, ''), source => coalesce(b.body->>'source', 'api'),"    \
    " version => (b.body->>'version')::int"

std::vector<Field> run_options(std::vector<Field> more)
{
    std::vector<Field> fields = {{"priority", Member::integer}, {"run_at", Member::text},    {"tags", Member::object}, {"timeout"},
                                 {"source", Member::text},      {"version", Member::integer}};
    fields.insert(fields.begin(), more.begin(), more.end());
    return fields;
}

/// The Idempotency-Key header, a structured string or bare, or the body's member. Throws where they differ.
Param key_of(const Request &request)
{
    Param key;
    if (const auto found = request.json->find("idempotency_key"); found != request.json->end() && found->is_string()) key = found->get<std::string>();
    std::string_view given = trimmed(request.header("Idempotency-Key"));
    if (given.empty()) return key;
    std::string text;
    if (given.size() >= 2 && given.front() == '"' && given.back() == '"') {
        given = given.substr(1, given.size() - 2);
        for (size_t i = 0; i < given.size(); i++) {
            if (given[i] == '\\' && i + 1 < given.size()) i++;
            text += given[i];
        }
    } else text = std::string(given);
    if (text.empty() || !is_utf8(text)) throw Problem(400, "bad_idempotency_key", "the Idempotency-Key header holds no key that can be read");
    if (key && *key != text) throw Problem(422, "bad_idempotency_key", "the Idempotency-Key header and the body name different keys");
    return text;
}

std::string run_location(const std::string &run) { return "/api/v1/runs/" + run; }

asio::awaitable<Response> trigger(Bridge &bridge, Request &request)
{
    static const std::vector<Field> fields = run_options({{"input"}, {"idempotency_key", Member::text}});
    static const std::string statement =
        "select r.run_id, r.created, json_build_object('run_id', r.run_id, 'state', r.state, 'deduplicated', not r.created)"
        " from (select $2::jsonb) b(body), orch.trigger_run($1, input => coalesce(b.body->'input', '{}'), idempotency_key => $4, " ORCH_RUN_OPTIONS ") r";
    require_fields(request, fields);
    Params params{request.in_path("workflow"), request.body, request.traceparent, key_of(request)};
    const Rows rows = co_await bridge.pool.run(request.principal, statement, std::move(params));
    const std::string run = rows.text(0, 0);
    const bool created = rows.boolean(0, 1);
    Response response = json_response(rows.text(0, 2), created ? 201 : 200);
    response.with("Location", run_location(run));

    const auto wait = preferred_wait(request);
    if (!wait) co_return response;
    const bool waited = co_await wait_for_run(bridge, request.principal, run, *wait);
    static const std::string look = "select x.finished_at is not null, json_build_object('run_id', x.run_id, 'state', x.state, 'deduplicated', $2::boolean, "
                                    "'output', x.output, 'error', x.error)"
                                    " from orch.runs x where x.run_id = $1::uuid";
    Params look_params{run, created ? "false" : "true"};
    const Rows after = co_await bridge.pool.run(request.principal, look, std::move(look_params));
    if (after.empty()) co_return response;
    if (!after.boolean(0, 0)) response.status = 202;
    response.body = after.text(0, 1);
    if (waited) response.with("Preference-Applied", "wait=" + std::to_string(wait->count()));
    co_return response;
}

asio::awaitable<Response> trigger_many(Bridge &bridge, Request &request)
{
    static const std::vector<Field> fields = run_options({{"inputs", Member::array, true}, {"idempotency_keys", Member::array}});
    static const std::string statement =
        "select json_build_object('items', coalesce(json_agg(json_build_object('position', r.position, 'run_id', r.run_id, 'created', r.created)), '[]'))"
        " from (select $2::jsonb) b(body), orch.trigger_many($1,"
        " inputs => (select coalesce(array_agg(i.value order by i.no), '{}') from jsonb_array_elements(b.body->'inputs') with ordinality i(value, no)),"
        " idempotency_keys => case when jsonb_typeof(b.body->'idempotency_keys') = 'array' then"
        " (select coalesce(array_agg(k.value order by k.no), '{}') from jsonb_array_elements_text(b.body->'idempotency_keys') with ordinality k(value, no)) "
        "end, " ORCH_RUN_OPTIONS ") r";
    require_fields(request, fields);
    Params params{request.in_path("workflow"), request.body, request.traceparent};
    const Rows rows = co_await bridge.pool.run(request.principal, statement, std::move(params));
    co_return json_response(rows.text(0, 0), 201);
}

asio::awaitable<Response> signal_with_start(Bridge &bridge, Request &request)
{
    static const std::vector<Field> fields = run_options({{"name", Member::text, true}, {"payload"}, {"input"}, {"idempotency_key", Member::text}});
    static const std::string statement =
        "select r.run_id, json_build_object('run_id', r.run_id) from (select $2::jsonb) b(body), orch.signal_with_start($1, name => b.body->>'name',"
        " payload => b.body->'payload', input => coalesce(b.body->'input', '{}'), idempotency_key => $4, " ORCH_RUN_OPTIONS ") r(run_id)";
    require_fields(request, fields);
    Params params{request.in_path("workflow"), request.body, request.traceparent, key_of(request)};
    const Rows rows = co_await bridge.pool.run(request.principal, statement, std::move(params));
    Response response = json_response(rows.text(0, 1));
    response.with("Location", run_location(rows.text(0, 0)));
    co_return response;
}

#undef ORCH_RUN_OPTIONS

}  // namespace

std::span<const Route> trigger_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::post, "/workflows/{workflow}/trigger", Minimum::operator_, "triggerWorkflow", trigger, {}, BodyKind::json},
        {http::verb::post, "/workflows/{workflow}/trigger-many", Minimum::operator_, "triggerMany", trigger_many, {}, BodyKind::json},
        {http::verb::post, "/workflows/{workflow}/signal-with-start", Minimum::operator_, "signalWithStart", signal_with_start, {}, BodyKind::json},
    };
    return routes;
}

}  // namespace orch::bridge
