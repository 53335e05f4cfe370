// Who is alive, and what it may find, for the files of shared/. The database's lock is held, shared at least.
#pragma once

#include "shared/layout.hpp"

namespace orch::shared {

/// Its await holds a backend, its last call is younger than three heartbeats, or it rests and is not overdue.
bool is_alive(const Worker &worker, int64_t now) noexcept;

/// Live, not draining workers that serve a route.
int live_workers(const Database &database, int route, int64_t now) noexcept;

/// Whether an entry, or rows that are not in memory, wait on a route that the worker serves.
bool may_find_work(const Database &database, const Worker &worker) noexcept;

}  // namespace orch::shared
