#include "shared/upkeep.hpp"

#include "shared/clock.hpp"
#include "shared/lease_lists.hpp"
#include "shared/pending.hpp"
#include "shared/routes.hpp"

namespace orch::shared {

namespace {

/// Wakes that were given and not used: their workers may be gone, so somebody else who sleeps gets them. The database's lock is held.
void pass_on_wakes(Database &database, int64_t now, Wakes &wakes) noexcept
{
    if (database.owed_due > now) return;
    database.owed_due = INT64_MAX;
    bool pass = false;
    database.workers.each([&](int slot) {
        Worker &worker = workers[slot];
        if (worker.owed_at == 0) return;
        if (worker.owed_at > now) {
            database.owed_due = std::min(database.owed_due, worker.owed_at);
            return;
        }
        worker.owed_at = 0;
        pass = true;
    });
    if (!pass) return;
    const auto wake = [&](int route) { wake_for_route(database, route, 1, wakes); };
    database.filled.each(wake);
    database.spilled.each(wake);
}

}  // namespace

void upkeep()
{
    Database &slot = database();
    Wakes wakes;
    with_database(slot, [&] {
        slot.steward_wakes_at = 0;
        const int64_t now = monotonic_us();
        requeue_due(slot, now, wakes);
        tick_circuits(slot, now, wakes);
        pass_on_wakes(slot, now, wakes);
    });
    wakes.flush();
}

Chores chores(int64_t &sleep_ms)
{
    Database &slot = database();
    return with_database(slot, [&] {
        const int64_t now = monotonic_us(), wall = now_us();
        const int64_t timer = slot.timers.smallest(entries);
        const int64_t lease = earliest_lease(slot, now);
        Chores chores{};
        chores.timers = timer <= wall;
        chores.leases = lease <= now;
        chores.advances = slot.advances.count > 0;
        chores.refusals = slot.refusal_count > 0 && slot.refusals_at <= now;
        chores.sweep = slot.sweep;
        // The steward, who asks, has looked at all that was queued.
        if (!chores.advances && !chores.sweep) pg_atomic_write_u32(&slot.cancels_unseen, 0);
        chores.rescan = slot.rescan_at <= wall;
        chores.fallbacks = falls_back(slot);
        chores.runners = slot.look_for_runners;
        chores.recheck = slot.recheck;
        chores.partitions = pg_atomic_read_u32(&slot.partitions_wanted) != 0;
        const uint64_t uses_due = pg_atomic_read_u64(&slot.uses_due);
        chores.uses = uses_due <= static_cast<uint64_t>(now);

        int64_t due = std::min({lease, slot.owed_due, slot.circuits_due});
        if (slot.refusal_count > 0) due = std::min(due, slot.refusals_at);
        if (uses_due != UINT64_MAX) due = std::min(due, static_cast<int64_t>(uses_due));
        if (slot.requeued.first != nil)
            due = std::min(due, now + int64_t{static_cast<int32_t>(entries[slot.requeued.first].due_ms - static_cast<uint32_t>(now / 1000))} * 1000 + 1000);
        const int64_t wall_due = std::min(timer, slot.rescan_at);
        if (wall_due != INT64_MAX) due = std::min(due, now + (wall_due - wall));
        slot.steward_wakes_at = chores.any() ? 0 : due;
        slot.steward_called_at = now;
        sleep_ms = due == INT64_MAX ? -1 : std::max<int64_t>(0, (due - now + 999) / 1000);
        return chores;
    });
}

bool sleep_until_poked()
{
    Database &slot = database();
    return with_database(slot, [&] {
        if (slot.recheck || pg_atomic_read_u32(&slot.partitions_wanted) != 0) return false;
        slot.steward_wakes_at = INT64_MAX;
        slot.steward_called_at = monotonic_us();
        return true;
    });
}

bool take_runners()
{
    Database &slot = database();
    return with_database(slot, [&] { return std::exchange(slot.look_for_runners, false); });
}

}  // namespace orch::shared
