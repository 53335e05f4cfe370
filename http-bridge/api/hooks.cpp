// Inbound webhooks. A delivery comes without a token: its signature is checked in the database.
#include "api/sql_route.hpp"
#include "core/encoding.hpp"

#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

constexpr size_t delivery_limit = size_t{4} << 20;

// What a proxy or a browser sends along is nobody's input.
bool is_told(std::string_view name)
{
    for (const std::string_view hidden : {"authorization", "cookie", "proxy-authorization"})
        if (name == hidden) return false;
    return true;
}

std::string headers_of(const Request &request)
{
    nlohmann::json headers = nlohmann::json::object();
    for (const auto &field : request.fields) {
        std::string name(field.name_string());
        for (char &c : name)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        // The first counts, as for whoever reads one header.
        if (is_told(name) && !headers.contains(name)) headers[name] = std::string(field.value());
    }
    return headers.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

asio::awaitable<Response> receive(Bridge &bridge, Request &request)
{
    static const std::string statement = "select r.created, json_build_object('run_id', r.run_id, 'state', r.state, 'deduplicated', not r.created)"
                                         " from orch.receive_hook($1, $2::bytea, $3::jsonb) r";
    std::optional<DatabaseError> refused;
    Rows rows;
    try {
        Params params{request.in_path("hook"), "\\x" + core::hex(core::as_bytes(request.body)), headers_of(request)};
        rows = co_await bridge.pool.run_as_bridge(statement, std::move(params));
    } catch (const DatabaseError &error) {
        if (error.code != "42501" && error.code != "42704") throw;
        refused = error;
    }
    if (refused) {
        // Whoever tries is counted, like anybody without a token.
        (void)co_await bridge.authenticator->admit_anybody(bridge, request);
        throw *refused;
    }
    co_return json_response(rows.text(0, 1), rows.boolean(0, 0) ? 201 : 200);
}

/// 204, or 404 where nothing was there.
Handler dropped(std::string statement, std::vector<Source> sources, std::string what)
{
    return [handler = one(std::move(statement), std::move(sources), std::move(what))](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        (void)co_await handler(bridge, request);
        co_return empty_response();
    };
}

}  // namespace

std::span<const Route> hook_routes()
{
    using enum Minimum;
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/hooks",
         viewer,
         "listHooks",
         page("select row_to_json(h), h.hook from (select h.* from orch.hooks h where ($2::text is null or h.hook > $2) order by h.hook limit $1::int) h", {}),
         {"limit", "cursor"}},
        {http::verb::post,
         "/hooks",
         admin,
         "createHook",
         with_fields(
             {{"hook", Member::text, true},
              {"workflow", Member::text, true},
              {"secret", Member::text},
              {"input"},
              {"format", Member::text},
              {"signature_header", Member::text}},
             call(
                 "select json_build_object('hook', b.body->>'hook', 'path', '/api/v1/hooks/' || (b.body->>'hook'), 'secret', orch.create_hook(b.body->>'hook', "
                 "b.body->>'workflow', b.body->>'secret', nullif(b.body->'input', 'null'), coalesce(b.body->>'format', 'github'), b.body->>'signature_header'))"
                 " from (select $1::jsonb) b(body)",
                 {in_body()}, 201)),
         {},
         BodyKind::json},
        {http::verb::delete_, "/hooks/{hook}", admin, "dropHook", dropped("select 'true' where orch.drop_hook($1)", {in_path("hook")}, "hook")},
        {http::verb::post, "/hooks/{hook}", nobody, "receiveHook", receive, {}, BodyKind::raw, {delivery_limit}},
    };
    return routes;
}

std::span<const Route> notification_routes()
{
    using enum Minimum;
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/notifications",
         viewer,
         "listNotifications",
         page("select row_to_json(n), n.name from (select n.* from orch.notifications n where ($2::text is null or n.name > $2) order by n.name limit $1::int) "
              "n",
              {}),
         {"limit", "cursor"}},
        {http::verb::post,
         "/notifications",
         admin,
         "notifyOn",
         with_fields(
             {{"name", Member::text, true}, {"workflow", Member::text}, {"url", Member::text, true}, {"events", Member::texts}, {"secret", Member::text}},
             call("select json_build_object('name', b.body->>'name', 'secret', orch.notify_on(b.body->>'name', b.body->>'workflow', b.body->>'url',"
                  " coalesce((select array_agg(e) from jsonb_array_elements_text(nullif(b.body->'events', 'null')) e), "
                  "'{run_failed,run_timed_out,dead_letter}'),"
                  " b.body->>'secret')) from (select $1::jsonb) b(body)",
                  {in_body()}, 201)),
         {},
         BodyKind::json},
        {http::verb::delete_, "/notifications/{name}", admin, "dropNotification",
         dropped("select 'true' where orch.drop_notification($1)", {in_path("name")}, "notification")},
        {http::verb::get,
         "/notifications/{name}/deliveries",
         viewer,
         "listDeliveries",
         page("select row_to_json(d), d.run_id from (select d.* from orch.deliveries d where d.notification = $3 and ($2::uuid is null or d.run_id < $2::uuid)"
              " order by d.run_id desc limit $1::int) d",
              {in_path("name")}, "select 1 from orch.notifications n where n.name = $1", "notification"),
         {"limit", "cursor"}},
    };
    return routes;
}

}  // namespace orch::bridge
