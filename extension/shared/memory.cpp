#include "shared/memory.hpp"

#include "shared/layout.hpp"

namespace orch::shared {

MemoryStatus memory_status()
{
    Database &slot = database();
    return with_database(slot, [&] {
        return with_pool([&] {
            const auto used = [](const auto &pool) { return int64_t{pool.capacity} - pool.available(); };
            MemoryStatus status{};
            status.entries = root->entries.capacity;
            status.entries_used = used(root->entries);
            status.ready = slot.ready_count;
            status.timers = slot.timers.count;
            status.advances = slot.advances.count;
            status.leases_total = max_leases;
            status.leases = slot.lease_count;
            status.counters_bytes = int64_t{root->counters.units} * BuddyArena::unit;
            status.counters_used = int64_t{root->counters.used} * BuddyArena::unit;
            status.routes_total = max_routes;
            status.routes_used = used(root->routes);
            status.workers_total = max_workers;
            status.workers_used = used(root->workers);
            status.refusals_dropped = slot.refusals_dropped;
            return status;
        });
    });
}

}  // namespace orch::shared
