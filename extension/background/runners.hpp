// The steward's SQL runners: started when SQL tasks of a role wait and fewer than orch.sql_workers runners of that role are there.
#pragma once

#include <cstdint>

namespace orch::background {

/// Starts what is missing, in a turn of its own where there is something to start. Returns how long until it wants to look again, -1 for not by the clock.
int64_t look_after_runners();

/// Forgets runners that have ended. True when one has: its work may be left.
bool runners_ended();

}  // namespace orch::background
