// Reading the feed: events in the order of their positions, none twice, none left out.
#pragma once

#include "engine/call.hpp"
#include "pg/result_set.hpp"

namespace orch::engine {

struct FeedRange {
    int64 after;
    int max_rows;
    std::optional<RunId> run = {};  // of one run alone
    bool all_tenants = false;
};

/// Adds the next events to the result: the columns of orch.events, then tenant, workflow, the run's traceparent and the task's number, -1 for the run's own.
void read_feed(Call &call, const FeedRange &range, pg::ResultSet &result);

/// Up to where the feed can be read now: a later event has a larger position.
int64 feed_position();

}  // namespace orch::engine
