// The words that all of shared memory is spoken in.
#pragma once

#include "core/uuid.hpp"

#include <compare>
#include <cstdint>

namespace orch::shared {

using RunId = core::Uuid;

/// Larger than any run's id: "no run" for cursors, which hold the smallest id of something.
inline constexpr RunId no_run = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// A task by its key; task_no -1 is the run itself.
struct TaskRef {
    RunId run;
    int32_t task_no;

    auto operator<=>(const TaskRef &) const = default;
};

/// A slot that there is none of.
inline constexpr int no_slot = -1;

// The fixed tables, cluster-wide where nothing else is said.
inline constexpr int max_databases = 32;
inline constexpr int max_routes = 4096;
inline constexpr int max_workers = 1024;
inline constexpr int max_listeners = 64;
inline constexpr int max_leases = 131072;
inline constexpr int max_run_waiters = 1024;
inline constexpr int max_feed_waiters = 256;
inline constexpr int max_active_counts = 1024;  // per database
inline constexpr int max_circuits = 128;        // per database
inline constexpr int max_refusals = 64;         // per database, waiting for the steward
inline constexpr int max_helpers = 32;          // per database: SQL runners

}  // namespace orch::shared
