#include "api/route.hpp"

namespace orch::bridge {

namespace {

boost::asio::awaitable<Response> tell_health(Bridge &, Request &) { co_return json_response(R"({"status":"ok"})"); }

}  // namespace

std::span<const Route> system_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get, "/health", Minimum::nobody, "getHealth", tell_health, {}, BodyKind::none, {}, true},
    };
    return routes;
}

}  // namespace orch::bridge
