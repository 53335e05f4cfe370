#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace orch::bridge {

/// Who asks, as an authenticator found out. The database decides what they may: `role` is what the transaction becomes.
struct Principal {
    std::string name;    ///< of a token, or the subject of a JWT; stands in logs, and as the actor of events
    std::string role;    ///< orch_viewer, orch_worker, orch_operator or orch_admin; empty for the bridge itself
    std::string tenant;  ///< orch.tenant of the transaction
    std::optional<std::chrono::system_clock::time_point> expires;
    std::string kind = "token";  ///< token or oidc: the actor is KIND:NAME
};

}  // namespace orch::bridge
