// Reading the feed: events in the order of their positions, none twice, none left out.
#pragma once

#include "engine/call.hpp"
#include "pg/result_set.hpp"

namespace orch::engine {

/// Adds up to `max_rows` events behind `after` to the result, with the columns of orch.events; of one run where it is given.
void read_feed(Call &call, int64 after, int max_rows, const std::optional<RunId> &run, pg::ResultSet &result);

}  // namespace orch::engine
