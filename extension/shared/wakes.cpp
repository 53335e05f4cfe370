// Who is woken for what. One waiter for each ready entry, not all; a wake that its worker does not use within a second goes to another one.
#include "shared/wakes.hpp"

#include "shared/clock.hpp"
#include "shared/hinting.hpp"

namespace orch::shared {

namespace {

constexpr int64_t owed_us = 1'000'000;

}  // namespace

void poke_steward(Database &database, Wakes &wakes) noexcept
{
    if (database.steward_wakes_at == 0) return;  // awake: it looks again before it sleeps
    database.steward_wakes_at = 0;
    database.steward_called_at = monotonic_us();
    wakes.add(database.steward);
}

void note_deadline(Database &database, int64_t deadline, Wakes &wakes) noexcept
{
    if (deadline < database.steward_wakes_at) poke_steward(database, wakes);
}

int wake_for_route(Database &database, int route, int64_t count, Wakes &wakes) noexcept
{
    int woken = 0;
    if (database.blocked.test(route)) {
        if (routes[route].fallback) poke_steward(database, wakes);
        return 0;
    }
    while (woken < count) {
        const int slot = database.idle.find_from(database.wake_from, [&](int worker) { return workers[worker].routes.test(route); });
        if (slot < 0) break;
        Worker &worker = workers[slot];
        database.idle.reset(slot);
        database.wake_from = (slot + 1) % max_workers;
        worker.woken = true;
        wakes.add(worker.waiter);
        woken++;
        // Only where somebody else could take it over does an unused wake matter.
        if (database.idle.any() || database.resting.any()) {
            worker.owed_at = monotonic_us() + owed_us;
            database.owed_due = std::min(database.owed_due, worker.owed_at);
            note_deadline(database, worker.owed_at, wakes);
        }
    }
    if (woken < count) hint_route(database, route, count - woken, wakes);
    return woken;
}

void wake_worker(Database &, Worker &worker, Wakes &wakes) noexcept { wakes.add(worker.waiter); }

}  // namespace orch::shared
