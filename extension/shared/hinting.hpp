// Making marks for the notifier, for the files of shared/. The database's lock is held.
#pragma once

#include "shared/wakes.hpp"

namespace orch::shared {

/// `count` tasks became ready that nobody was woken for.
void hint_route(Database &database, int route, int64_t count, Wakes &wakes) noexcept;

/// The database opens: nobody knows which workers rest, and all that is ready is news to them.
void hint_opened(Database &database, Wakes &wakes) noexcept;

/// The worker called, or is gone: it does not rest any more.
void end_rest(Worker &worker) noexcept;

/// At process exit.
void leave_notifier() noexcept;

}  // namespace orch::shared
