#include "api/route.hpp"
#include "bridge.hpp"
#include "database/connection.hpp"
#include "events/hub.hpp"
#include "server/listener.hpp"
#include "server/log.hpp"
#include "telemetry/exporter.hpp"
#include "work/deliveries.hpp"

#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <csignal>
#include <iostream>

namespace {

using namespace orch::bridge;

void print_routes()
{
    for (const Route *route : all_routes()) {
        nlohmann::ordered_json line;
        line["method"] = std::string(http::to_string(route->method));
        line["path"] = (route->also_at_root ? "" : "/api/v1") + route->pattern;
        line["operation_id"] = route->operation_id;
        line["minimum"] = minimum_name(route->minimum);
        line["query"] = route->query;
        line["body"] = route->body == BodyKind::none         ? "none"
                       : route->body == BodyKind::json       ? "json"
                       : route->body == BodyKind::definition ? "definition"
                                                             : "raw";
        line["body_limit"] = route->limits.body;
        std::cout << line.dump() << '\n';
    }
}

// As many connections as the system lets a process have, with some left for the database and files.
void fit_connections(Options &options)
{
    constexpr rlim_t others = 64;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const rlim_t taken = options.database_connections + options.waits + others;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= options.max_connections + taken) return;
    const size_t fitting = limit.rlim_cur > taken + 1 ? limit.rlim_cur - taken : 1;
    spdlog::warn("{} files may be open, so {} clients may be connected at once, not {}", limit.rlim_cur, fitting, options.max_connections);
    options.max_connections = fitting;
}

}  // namespace

int main(int count, char **arguments)
{
    int exit_code = 0;
    std::optional<Options> options = read_options(count, arguments, exit_code);
    if (!options) return exit_code;
    if (options->print_routes) {
        print_routes();
        return 0;
    }
    set_up_log(options->log_level);
    std::signal(SIGPIPE, SIG_IGN);
    fit_connections(*options);
    try {
        for (const std::string &url : {options->database, options->direct_database}) (void)places_of(url);
        Bridge bridge(*options);
        Listener listener(bridge);
        listener.start();
        bridge.spans->start();
        Deliveries deliveries(*options);
        for (const std::string &address : listener.addresses()) spdlog::info("listening at {}", address);

        boost::asio::signal_set signals(bridge.loop, SIGTERM, SIGINT);
        signals.async_wait([&](boost::system::error_code failed, int number) {
            if (failed) return;
            spdlog::info("stopping by signal {}", number);
            bridge.stopping = true;
            bridge.waits.stop();
            bridge.hub->stop();
            bridge.spans->stop();
            bridge.polls.stop();
            listener.stop([&] {
                bridge.pool.stop();
                bridge.loop.stop();
            });
            // A second one does not wait for anybody.
            signals.async_wait([&](boost::system::error_code, int) { bridge.loop.stop(); });
        });
        bridge.loop.run();
        spdlog::info("stopped");
        return 0;
    } catch (const DatabaseError &error) {
        spdlog::error("{}", error.message);
    } catch (const std::exception &error) {
        spdlog::error("{}", error.what());
    }
    return 1;
}
