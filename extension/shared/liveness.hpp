// Who is alive, for the files of shared/. The database's lock is held, shared at least.
#pragma once

#include "shared/layout.hpp"

namespace orch::shared {

/// Its await holds a backend, or its last call is younger than three heartbeats.
bool is_alive(const Worker &worker, int64_t now) noexcept;

/// Live, not draining workers that serve a route.
int live_workers(const Database &database, int route, int64_t now) noexcept;

}  // namespace orch::shared
