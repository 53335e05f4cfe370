// Whether the bridge lives, whether it is fit for work, and what it counts.
#include "api/route.hpp"
#include "events/hub.hpp"
#include "metrics/meters.hpp"
#include "metrics/scrape.hpp"
#include "telemetry/exporter.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace {

using namespace std::chrono_literals;

constexpr auto ready_time = 3s;
constexpr auto feed_time = 45s;  // a wait of the feed ends after ten

boost::asio::awaitable<Response> tell_health(Bridge &, Request &) { co_return json_response(R"({"status":"ok"})"); }

boost::asio::awaitable<void> sleep_for(std::chrono::milliseconds time)
{
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
}

// Words and no names: whoever asks has not said who he is.
boost::asio::awaitable<Response> tell_readiness(Bridge &bridge, Request &)
{
    using namespace boost::asio::experimental::awaitable_operators;
    nlohmann::ordered_json checks = nlohmann::ordered_json::array();
    bool ready = true;
    const auto add = [&](const std::string &check, bool ok, const std::string &detail) {
        checks.push_back({{"check", check}, {"ok", ok}, {"detail", detail}});
        ready = ready && ok;
    };
    try {
        std::string sql = "select \"check\", ok, detail from orch.readiness()";
        Params none;
        auto asked = bridge.pool.run_as_bridge(std::move(sql), std::move(none));
        auto answer = co_await (std::move(asked) || sleep_for(ready_time));
        if (const Rows *rows = std::get_if<0>(&answer)) {
            add("database", true, "It answers.");
            for (int i = 0; i < rows->size(); i++) add(rows->text(i, 0), rows->boolean(i, 1), rows->text(i, 2));
        } else add("database", false, "It does not answer in time.");
    } catch (const DatabaseError &) {
        add("database", false, "It cannot be reached.");
    }
    const Hub::Status hub = bridge.hub->status();
    add("feed", hub.behind < feed_time, hub.following ? hub.behind < feed_time ? "It is followed." : "It has not answered for a while." : "Nobody listens.");
    if (bridge.stopping) add("bridge", false, "It stops.");
    nlohmann::ordered_json body;
    body["status"] = ready ? "ready" : "degraded";
    body["checks"] = std::move(checks);
    Response response = json_response(body.dump(), ready ? 200 : 503);
    if (!ready) response.with("Retry-After", "5");
    co_return response;
}

boost::asio::awaitable<Response> tell_metrics(Bridge &bridge, Request &request)
{
    const Exposition exposition = wanted_exposition(request.header("Accept"));
    const std::vector<Family> families = co_await scrape(bridge, request.principal);
    Response response = text_response(write_metrics(families, exposition), content_type_of(exposition));
    response.with("Vary", "Accept");
    co_return response;
}

}  // namespace

std::span<const Route> system_routes()
{
    static const std::vector<Route> routes = {
        {http::verb::get, "/health", Minimum::nobody, "getHealth", tell_health, {}, BodyKind::none, {}, true},
        {http::verb::get, "/ready", Minimum::nobody, "getReadiness", tell_readiness, {}, BodyKind::none, {}, true},
        {http::verb::get, "/metrics", Minimum::viewer, "getMetrics", tell_metrics, {}, BodyKind::none, {}, true},
    };
    return routes;
}

}  // namespace orch::bridge
