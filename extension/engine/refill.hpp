// Ready rows that shared memory had no room for, or was never told of one by one: found again by scanning a route's leaves forward by key.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// Reads more of one route that this worker serves. True when something was found.
bool refill(int worker_slot);
/// The same of a route that this transaction has pinned.
bool refill_route(int slot);

}  // namespace orch::engine
