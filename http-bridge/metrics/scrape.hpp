#pragma once

#include "access/principal.hpp"
#include "metrics/exposition.hpp"

#include <boost/asio/awaitable.hpp>

namespace orch::bridge {

struct Bridge;

/// What the database counts (orch.metrics, as the principal sees it), and the bridge itself; that alone, and orch_bridge_database_up 0, where the database is
/// away.
[[nodiscard]] boost::asio::awaitable<std::vector<Family>> scrape(Bridge &bridge, const Principal &principal);

}  // namespace orch::bridge
