// Who sleeps in await_run.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

/// This process wants its latch set when the run is over. Put it up, then read the row, then sleep. False when all 1,024 places are taken: look once a second then.
bool run_wait_begin(const RunId &run);
void run_wait_end() noexcept;

}  // namespace orch::shared
