// Who sleeps in await_run, await_update, or query: until a run is over, an update of it is answered, or a question is.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

/// This process wants its latch set when there is news of a run or a question. Put it up, then read the row, then sleep. False when all 1,024 places are taken: look once a second then.
bool run_wait_begin(const RunId &run);
void run_wait_end() noexcept;

}  // namespace orch::shared
