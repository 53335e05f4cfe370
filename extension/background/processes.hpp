// Starting background workers of ours.
#pragma once

#include "pg/bridge.hpp"

namespace orch::background {

/// A worker of this library that PostgreSQL never restarts by itself, told apart by type in pg_stat_activity; this process's latch is set when it starts and stops.
/// nullptr when max_worker_processes leaves no place.
BackgroundWorkerHandle *start_process(const char *type, const char *name, const char *function, Datum argument, const void *extra, size_t extra_bytes);

/// Whether it has not ended yet.
bool is_running(BackgroundWorkerHandle *handle);

}  // namespace orch::background
