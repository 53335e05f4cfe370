// How full shared memory is, for views and health.
#pragma once

#include <cstdint>

namespace orch::shared {

struct MemoryStatus {
    int64_t entries, entries_used;          // of the cluster: ready tasks, timers, advances; used includes what databases keep free for themselves
    int64_t ready, timers, advances;        // of this database
    int64_t leases_total, leases;           // of the cluster; of this database
    int64_t counters_bytes, counters_used;  // of the cluster
    int64_t routes_total, routes_used;      // of the cluster
    int64_t workers_total, workers_used;    // of the cluster
    int64_t refusals_dropped;               // of this database
};
MemoryStatus memory_status();

}  // namespace orch::shared
