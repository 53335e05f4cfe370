// Positions. A writer publishes a floor, then takes its positions; a reader reads the counter, then the floors. Why nothing is missed:
//   1. The floor is the counter as read before any position of this transaction was taken, so it is not above them.
//   2. A reader that saw the floor stays below it.
//   3. A reader that did not: the floor was published after the reader had read the counter, so the positions, taken later still, are not below what it read.
// The floor goes when the transaction has ended for everybody (the commit callback runs after ProcArrayEndTransaction).
#include "shared/feed.hpp"

#include "shared/clock.hpp"
#include "shared/launching.hpp"
#include "shared/pending.hpp"
#include "shared/waiting.hpp"

namespace orch::shared {

namespace {

constexpr int64_t tail_ms = 100;

bool has_floor = false;
int feed_place = no_slot;
int64_t last_return = 0;

int64_t counter(Database &slot) noexcept { return static_cast<int64_t>(pg_atomic_read_u64(&slot.positions)); }

/// Tails that have seen everything sleep on their latch; the others look again within 100 ms by themselves.
void wake_tails(Database &database) noexcept
{
    // Unlocked: a tail that comes later than this look reads the counter after it was raised, and sleeps 100 ms at most.
    if (database.feed_waiters == 0) return;
    Wakes wakes;
    const uint8_t number = number_of(database);
    with_database(database, [&] {
        for (FeedWaiter &waiter : root->feed_waiters) {
            if (waiter.database != number || waiter.process == no_slot || !waiter.idle) continue;
            waiter.idle = false;
            wakes.add(waiter.process);
        }
    });
    wakes.flush();
}

}  // namespace

int64_t take_positions(int n)
{
    Database &slot = database();
    if (!has_floor) {
        register_exit_cleanup();
        Floor &floor = floors[pg::my_process_number()];
        pg_atomic_write_u32(&floor.database, number_of(slot));
        pg_atomic_write_u64(&floor.position, pg_atomic_read_u64(&slot.positions));
        pg_memory_barrier();
        has_floor = true;
    }
    return static_cast<int64_t>(pg_atomic_fetch_add_u64(&slot.positions, n));
}

void clear_floor() noexcept
{
    if (!has_floor) return;
    has_floor = false;
    pg_atomic_write_u64(&floors[pg::my_process_number()].position, UINT64_MAX);
    pg_memory_barrier();
    wake_tails(*mine);
}

int64_t safe_position()
{
    Database &slot = database();
    uint64_t safe = pg_atomic_read_u64(&slot.positions);
    pg_memory_barrier();
    const uint8_t number = number_of(slot);
    for (int i = 0; i < root->processes; i++) {
        const uint64_t floor = pg_atomic_read_u64(&floors[i].position);
        if (floor < safe && pg_atomic_read_u32(&floors[i].database) == number) safe = floor;
    }
    return static_cast<int64_t>(safe);
}

int64_t feed_pending() { return std::max<int64_t>(counter(database()) - safe_position(), 0); }

void seed_positions(int64_t at_least)
{
    Database &slot = database();
    uint64_t now = pg_atomic_read_u64(&slot.positions);
    while (now < static_cast<uint64_t>(at_least) && !pg_atomic_compare_exchange_u64(&slot.positions, &now, static_cast<uint64_t>(at_least))) {}
    pg_atomic_write_u32(&slot.seeded, 1);
    pg::call_pg([&] { ConditionVariableBroadcast(&slot.changed); });
}

bool positions_seeded() { return pg_atomic_read_u32(&database().seeded) != 0; }

bool wait_until_seeded(int64_t timeout_ms)
{
    return wait_until([](Database &slot) { return pg_atomic_read_u32(&slot.seeded) != 0; }, timeout_ms);
}

void feed_wait_begin()
{
    Database &slot = database();
    register_exit_cleanup();
    if (feed_place != no_slot) return;
    feed_place = with_database(slot, [&] {
        return with_pool([&] {
            for (int i = 0; i < max_feed_waiters; i++) {
                if (root->feed_waiters[i].process != no_slot) continue;
                root->feed_waiters[i] = {pg::my_process_number(), number_of(slot), false};
                slot.feed_waiters++;
                return i;
            }
            return no_slot;
        });
    });
    if (feed_place == no_slot)
        throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many sessions wait for events: the limit is " + std::to_string(max_feed_waiters), "",
                        "Let one session read the feed for several readers."};
}

bool feed_news(int64_t after) { return safe_position() > after + 1; }

int64_t feed_wait_ms(int64_t after)
{
    Database &slot = database();
    const int64_t since = (monotonic_us() - last_return) / 1000;
    if (since < tail_ms) return tail_ms - since;
    // Idle first, then the look: a position taken in between ends in a commit that wakes.
    with_database(slot, [&] { root->feed_waiters[feed_place].idle = true; });
    return counter(slot) > after + 1 ? tail_ms : -1;
}

void feed_wait_end() noexcept
{
    if (feed_place == no_slot || !mine) return;
    last_return = monotonic_us();
    with_database(*mine, [] {
        with_pool([] {
            root->feed_waiters[feed_place] = {no_slot, no_database, false};
            mine->feed_waiters--;
        });
    });
    feed_place = no_slot;
}

}  // namespace orch::shared
