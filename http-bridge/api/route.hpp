// A route: one SQL function or view, under /api/v1 and /api.
#pragma once

#include "bridge.hpp"
#include "server/problem.hpp"
#include "server/request.hpp"
#include "server/response.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

/// The least role that the database lets do it: for documents and the dashboard, not for a decision. nobody: no token is asked for, and none is counted.
enum class Minimum { nobody, viewer, worker, operator_, admin };

/// What a route reads of a request's body.
enum class BodyKind {
    none,        ///< a body is refused with 415
    json,        ///< JSON or YAML; reaches the handler as JSON text, checked
    definition,  ///< as json, unchecked where it is JSON, since the server says best what is wrong; or multipart/form-data
    raw,         ///< the bytes as they came
};

using Handler = std::function<boost::asio::awaitable<Response>(Bridge &, Request &)>;

struct Limits {
    size_t body = size_t{1} << 20;
};

struct Route {
    http::verb method;
    std::string pattern;  ///< "/runs/{run}/cancel"
    Minimum minimum;
    std::string operation_id;
    Handler handle;
    std::vector<std::string_view> query{};  ///< the parameters that it knows; others are refused
    BodyKind body = BodyKind::none;
    Limits limits{};
    bool also_at_root = false;  ///< without /api/v1, too: /health
    bool takes_ticket = false;  ///< ?ticket= stands for a token
};

// One function a family.
std::span<const Route> document_routes();
std::span<const Route> system_routes();
std::span<const Route> workflow_routes();
std::span<const Route> trigger_routes();
std::span<const Route> run_routes();
std::span<const Route> dead_letter_routes();
std::span<const Route> insight_routes();
std::span<const Route> token_routes();
std::span<const Route> event_routes();
std::span<const Route> hook_routes();
std::span<const Route> notification_routes();
std::span<const Route> worker_routes();

/// What belongs to the dashboard and not to the API: its files, and its page wherever a browser asks for one that nothing else answers, so that a link to a run
/// can be opened. Null for all else.
[[nodiscard]] const Route *dashboard_route(Request &request);

/// Every route there is, families in their order.
[[nodiscard]] const std::vector<const Route *> &all_routes();
[[nodiscard]] std::string_view minimum_name(Minimum minimum);

/// The route for method and path, with request.path_parameters filled in; null where there is none.
[[nodiscard]] const Route *find_route(Request &request);
/// The methods that the path is there for, for Allow; empty where no route has it.
[[nodiscard]] std::string allowed_methods(const Request &request);

}  // namespace orch::bridge
