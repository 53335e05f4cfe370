// Ready lists: one a route, smallest key first. What does not fit is left in its row, under the route's cursor.
//
// A route with a cursor sends what comes later than the cursor behind it as well, or the rows that were spilled first would wait for as long as new ones arrive. Exempt are
// entries with a priority: their keys are a minute and more in the past, and a priority that waits behind a bulk would be none.
#include "shared/ready.hpp"

#include "shared/clock.hpp"
#include "shared/pending.hpp"
#include "shared/transaction.hpp"
#include "shared/upkeep.hpp"
#include "shared/workers.hpp"

namespace orch::shared {

namespace {

constexpr int64_t put_back_us = 50'000;
constexpr int64_t priority_step_us = 60'000'000;
constexpr uint32_t refill_below = 64;  // entries left in memory when a refill begins: what it finds again of them is dropped by the rows

bool has_room(const Route &route) noexcept { return route.ready.count < root->entries.capacity / 2; }

uint32_t milliseconds(int64_t monotonic) noexcept { return static_cast<uint32_t>(monotonic / 1000); }

void into_list(Database &database, Index entry, Wakes &wakes) noexcept
{
    Entry &e = entries[entry];
    Route &route = routes[e.route];
    e.kind = EntryKind::ready;
    route.ready.push(entries, entry);
    database.filled.set(e.route);
    database.ready_count++;
    if (wake_for_route(database, e.route, 1, wakes) == 0 && route.is_sql) {
        database.look_for_runners = true;
        poke_steward(database, wakes);
    }
}

bool is_open(const Database &database) noexcept { return pg_atomic_read_u32(&const_cast<Database &>(database).phase) == static_cast<uint32_t>(Phase::open); }

/// Pops from the fullest claim: the smallest key over `candidates`. The ops have room.
template <class Candidates>
int take(Database &database, const Candidates &candidates, int max, TaskRef *out, bool enters = true) noexcept
{
    int taken = 0;
    while (taken < max) {
        int best = no_slot;
        int64_t best_key = INT64_MAX;
        candidates([&](int slot) {
            const int64_t key = routes[slot].ready.smallest(entries);
            if (routes[slot].ready.empty() || (best != no_slot && key >= best_key)) return;
            best = slot;
            best_key = key;
        });
        if (best == no_slot) break;
        Route &route = routes[best];
        const Index entry = route.ready.pop(entries);
        if (route.ready.empty()) database.filled.reset(best);
        database.ready_count--;
        entries[entry].kind = EntryKind::taken;
        PendingOp &op = add(Op::took);
        op.entry = entry;
        op.was = EntryKind::ready;
        out[taken++] = entries[entry].task();
        if (enters && route.circuit != no_slot) enter_circuit(database, route.circuit, entries[entry].task());
    }
    return taken;
}

}  // namespace

// Effects -----------------------------------------------------------------------------

void link_ready(Database &database, Index entry, Wakes &wakes) noexcept
{
    Entry &e = entries[entry];
    const Route &route = routes[e.route];
    const bool behind_cursor = !(e.run < route.cursor) && e.key > now_us() - priority_step_us / 2;
    if (behind_cursor || !has_room(route)) {
        lower_route(database, e.route, e.run, 1, wakes);
        free_entry(database, entry);
        return;
    }
    into_list(database, entry, wakes);
}

void lower_route(Database &database, int slot, const RunId &run, int64_t count, Wakes &wakes) noexcept
{
    Route &route = routes[slot];
    if (run < route.cursor) route.cursor = run;
    database.spilled.set(slot);
    if (wake_for_route(database, slot, count, wakes) == 0 && route.is_sql) {
        database.look_for_runners = true;
        poke_steward(database, wakes);
    }
}

void requeue(Database &database, Index entry, Wakes &wakes) noexcept
{
    const int64_t due = monotonic_us() + put_back_us;
    entries[entry].kind = EntryKind::requeued;
    entries[entry].due_ms = milliseconds(due);
    database.requeued.push(entries, entry);
    note_deadline(database, due, wakes);
}

void requeue_due(Database &database, int64_t now, Wakes &wakes) noexcept
{
    while (database.requeued.first != nil && static_cast<int32_t>(entries[database.requeued.first].due_ms - milliseconds(now)) <= 0)
        into_list(database, database.requeued.pop(entries), wakes);
}

void end_refill(Database &database, int slot, const RunId &cursor, Wakes &wakes) noexcept
{
    Route &route = routes[slot];
    route.refilling = false;
    if (cursor < route.cursor) route.cursor = cursor;
    database.spilled.put(slot, route.cursor != no_run);
    if (route.cursor != no_run && route.ready.count < refill_below) wake_for_route(database, slot, 1, wakes);
}

// Calls -------------------------------------------------------------------------------

void on_commit_ready(const TaskRef &task, int route_slot, int64_t sort_key)
{
    make_room(1);
    const Index entry = reserve_entry(Claim::ready);
    PendingOp &op = add(entry == nil ? Op::spilled : Op::ready);
    op.a = route_slot;
    op.task = task;
    op.x = 1;
    if (entry == nil) return;
    op.entry = entry;
    Entry &e = entries[entry];
    e.run = task.run;
    e.task_no = task.task_no;
    e.key = sort_key;
    e.route = route_slot;
}

void on_commit_spilled(int route_slot, const RunId &first, int64_t count)
{
    database();
    PendingOp &op = add(Op::spilled);
    op.a = route_slot;
    op.task.run = first;
    op.x = count;
}

int take_ready(int worker_slot, int max, TaskRef *out)
{
    Database &slot = database();
    make_room(static_cast<size_t>(max) + std::min(max, max_circuits));
    Wakes wakes;
    const int taken = with_database(slot, [&] {
        Worker &worker = workers[worker_slot];
        const int64_t now = monotonic_us();
        worker.last_seen = now;
        worker.last_seen_wall = now_us();
        worker.owed_at = 0;
        if (!is_open(slot) || worker.draining || worker.closed) return 0;
        requeue_due(slot, now, wakes);
        tick_circuits(slot, now, wakes);
        Bitmap<max_routes> own_blocked;
        if (outcomes_pending()) add_own_blocked(slot, own_blocked);
        return take(
            slot,
            [&](auto &&look) {
                for (int w = 0; w < worker.routes.words; w++)
                    for (uint64_t word = worker.routes.bits[w] & slot.filled.bits[w] & ~(slot.blocked.bits[w] | own_blocked.bits[w]); word; word &= word - 1)
                        look(w * 64 + std::countr_zero(word));
            },
            max, out);
    });
    wakes.flush();
    return taken;
}

int take_own_ready(int worker_slot, int max, TaskRef *out)
{
    if (!transaction_pending()) return 0;
    Database &slot = database();
    return with_database(slot, [&] {
        const Worker &worker = workers[worker_slot];
        int taken = 0;
        if (!is_open(slot) || worker.draining || worker.closed) return taken;
        Bitmap<max_routes> own_blocked;
        if (outcomes_pending()) add_own_blocked(slot, own_blocked);
        for (PendingOp &op : pending_ops()) {
            if (taken == max) break;
            if (op.op != Op::ready || !worker.routes.test(entries[op.entry].route)) continue;
            // A probe is only let through from a list.
            const int circuit = routes[entries[op.entry].route].circuit;
            if (own_blocked.test(entries[op.entry].route) || (circuit != no_slot && slot.circuits[circuit].breaker.state() != core::CircuitState::closed))
                continue;
            out[taken++] = entries[op.entry].task();
            free_entry(slot, op.entry);
            op.op = Op::nothing;
        }
        return taken;
    });
}

int take_ready_of_route(int route_slot, int max, TaskRef *out)
{
    Database &slot = database();
    make_room(static_cast<size_t>(max));
    Wakes wakes;
    const int taken = with_database(slot, [&] {
        if (!is_open(slot)) return 0;
        requeue_due(slot, monotonic_us(), wakes);
        return take(
            slot, [&](auto &&look) { look(route_slot); }, max, out, false);
    });
    wakes.flush();
    return taken;
}

void put_back(const TaskRef &task)
{
    std::vector<PendingOp> &ops = pending_ops();
    for (auto op = ops.rbegin(); op != ops.rend(); ++op) {
        if (op->op != Op::took || op->was != EntryKind::ready || entries[op->entry].task() != task) continue;
        op->op = Op::put_back;
        return;
    }
}

// Refill ------------------------------------------------------------------------------

int route_to_refill(int worker_slot)
{
    Database &slot = database();
    pin_room();
    return with_database(slot, [&] {
        const Worker &worker = workers[worker_slot];
        if (!is_open(slot) || worker.draining || worker.closed) return no_slot;
        for (int w = 0; w < worker.routes.words; w++) {
            for (uint64_t word = worker.routes.bits[w] & slot.spilled.bits[w] & ~slot.blocked.bits[w]; word; word &= word - 1) {
                const int found = w * 64 + std::countr_zero(word);
                if (routes[found].refilling || routes[found].cursor == no_run || routes[found].ready.count >= refill_below) continue;
                pin(found);
                return found;
            }
        }
        return no_slot;
    });
}

bool refill_in_progress(int worker_slot)
{
    Database &slot = database();
    return with_database_shared(slot, [&] {
        const Worker &worker = workers[worker_slot];
        for (int w = 0; w < worker.routes.words; w++)
            for (uint64_t word = worker.routes.bits[w]; word; word &= word - 1)
                if (routes[w * 64 + std::countr_zero(word)].refilling) return true;
        return false;
    });
}

bool refill_begin(int route_slot, RunId &from)
{
    Database &slot = database();
    make_room(1);
    return with_database(slot, [&] {
        Route &route = routes[route_slot];
        if (route.refilling || route.cursor == no_run) return false;
        from = route.cursor;
        route.cursor = no_run;
        route.refilling = true;
        PendingOp &op = add(Op::refill);
        op.a = route_slot;
        op.task.run = from;
        return true;
    });
}

bool refill_push(int route_slot, const TaskRef &task, int64_t sort_key)
{
    Database &slot = database();
    Wakes wakes;
    const bool pushed = with_database(slot, [&] {
        const Route &route = routes[route_slot];
        if (!has_room(route)) return false;
        // However full memory is of what nobody takes, each route gets these few.
        const Index entry = draw_entry(slot, route.ready.count < refill_below ? Claim::advance : Claim::ready);
        if (entry == nil) return false;
        Entry &e = entries[entry];
        e.run = task.run;
        e.task_no = task.task_no;
        e.key = sort_key;
        e.route = route_slot;
        into_list(slot, entry, wakes);
        return true;
    });
    wakes.flush();
    return pushed;
}

void refill_end(int route_slot, const RunId &reached)
{
    for (PendingOp &op : pending_ops())
        if (op.op == Op::refill && op.a == route_slot) op.op = Op::nothing;
    Wakes wakes;
    with_database(database(), [&] { end_refill(database(), route_slot, reached, wakes); });
    wakes.flush();
}

void lower_cursor(int route_slot, const RunId &run)
{
    Wakes wakes;
    with_database(database(), [&] { lower_route(database(), route_slot, run, 1, wakes); });
    wakes.flush();
}

}  // namespace orch::shared
