// Who asks, and the tokens of others.
#include "api/body.hpp"
#include "api/sql_route.hpp"

#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

asio::awaitable<Response> show_me(Bridge &bridge, Request &request)
{
    const Principal &principal = request.principal;
    Params params;
    params.push_back(principal.name);
    params.push_back(principal.kind);
    params.push_back(principal.role.substr(principal.role.find('_') + 1));
    params.push_back(principal.tenant);
    params.push_back(principal.expires
                         ? Param(std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(principal.expires->time_since_epoch()).count()))
                         : Param());
    const Rows rows = co_await bridge.pool.run(principal,
                                               "select jsonb_build_object('name', $1::text, 'kind', $2::text, 'role', $3::text, 'tenant', $4::text, "
                                               "'expires_at', to_timestamp($5::double precision / 1000))",
                                               std::move(params));
    co_return json_response(rows.text(0, 0));
}

asio::awaitable<Response> create_token(Bridge &bridge, Request &request)
{
    require_fields(request, {{"name", Member::text, true}, {"role", Member::text, true}, {"tenant", Member::text}, {"expires", Member::text}});
    Params params;
    params.push_back(request.body);
    const Rows rows = co_await bridge.pool.run(request.principal,
                                               "select jsonb_build_object('name', b.name, 'role', regexp_replace(b.role, '^orch_', ''), 'tenant',"
                                               " coalesce(b.tenant, current_setting('orch.tenant')), 'expires_at', nullif(b.expires, 'infinity'), 'token',"
                                               " orch.create_token(b.name, b.role, b.tenant, b.expires))"
                                               " from jsonb_to_record($1::jsonb) as b(name text, role text, tenant text, expires timestamptz)",
                                               std::move(params));
    co_return json_response(rows.text(0, 0), 201);
}

asio::awaitable<Response> revoke_token(Bridge &bridge, Request &request)
{
    const std::string &name = request.in_path("name");
    // Not even asked for: the database may log the parameters of statements.
    if (name.starts_with("orch_") && name.size() == 48) throw Problem(404, "not_found", "there is no such token").hinting("Give its name, and not the token.");
    Params params;
    params.push_back(name);
    const Rows rows = co_await bridge.pool.run(request.principal, "select orch.revoke_token($1)", std::move(params));
    if (!rows.boolean(0, 0)) throw Problem(404, "not_found", "there is no such token").hinting("It may have been revoked before: see GET /tokens.");
    co_return empty_response();
}

}  // namespace

std::span<const Route> token_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get, "/me", Minimum::viewer, "getMe", show_me},
        {http::verb::get,
         "/tokens",
         Minimum::admin,
         "listTokens",
         page("select to_jsonb(t), k.key from orch.tokens t"
              " cross join lateral (select t.name || ' ' || to_char(t.created_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS') as key) k"
              " where $2::text is null or k.key collate \"C\" > $2 order by k.key collate \"C\" limit $1::int",
              {}),
         {"limit", "cursor"}},
        {http::verb::post, "/tokens", Minimum::admin, "createToken", create_token, {}, BodyKind::json},
        {http::verb::delete_, "/tokens/{name}", Minimum::admin, "revokeToken", revoke_token},
    };
    return routes;
}

}  // namespace orch::bridge
