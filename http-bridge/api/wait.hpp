#pragma once

#include "api/route.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace orch::bridge {

/// The seconds of `Prefer: wait=N`, at most 60; nothing where it is not preferred.
[[nodiscard]] std::optional<std::chrono::seconds> preferred_wait(const Request &request);

/// Sleeps in the database until the run is over or the time has passed. False where it could not: as many as may are waiting, or the bridge stops.
[[nodiscard]] boost::asio::awaitable<bool> wait_for_run(Bridge &bridge, const Principal &principal, std::string run, std::chrono::seconds time);

}  // namespace orch::bridge
