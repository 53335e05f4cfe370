// Sleeping until shared memory has news, for the files of shared/.
#pragma once

#include "shared/layout.hpp"

namespace orch::shared {

/// Sleeps, interruptibly, until `reached`. False at the timeout, and at once where the database is held.
bool wait_until(bool (*reached)(Database &), int64_t timeout_ms);

/// At process exit and at abort: this process does not sleep for anything any more.
void leave_waits() noexcept;

void leave_work_wait() noexcept;

/// At process exit: whoever this process listened for waits no more.
void leave_listening() noexcept;

}  // namespace orch::shared
