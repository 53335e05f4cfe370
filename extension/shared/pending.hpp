// The list of what this transaction has done to shared memory or will do at its commit. Kept in the backend's own memory, in order of the calls.
#pragma once

#include "shared/counters.hpp"
#include "shared/layout.hpp"
#include "shared/wakes.hpp"

#include <utility>
#include <vector>

namespace orch::shared {

enum class Op : uint8_t {
    nothing,
    ready,          // entry
    spilled,        // a route, x count, task.run first
    timer,          // entry
    advance,        // entry, or nil: sweep; flag: of a cancel
    took,           // entry: ready, timer or advance by its `was`
    put_back,       // entry that was taken and comes back later
    lease,          // entry = lease
    unlease,        // task, x token
    stop_leases,    // task
    run_over,       // task.run
    told,           // task.run: news for those who await it
    counters_made,  // task.run
    lower,          // task.run, a settled, b changes, c first change, flag run_decided_here
    active_took,    // a workflow
    active_delta,   // a workflow, b delta
    sweep_taken,
    rescan_taken,    // x what it was
    partitions,      // x first, y end
    refusals_taken,  // a count
    refill,          // a route, task.run from
    probe,           // task, a circuit, b number: let through, and not leased yet
    outcome,         // a route, b probe, c failures and successes of the policy, y its open_us, flag: a failure
    count,           // a which number, x delta
    timing,          // a which, b bucket, x sum, y count
    wake_steward,
    attach,
    recheck,   // the steward is to look whether the extension is still here
    launcher,  // the launcher is to look which databases are left
};

struct PendingOp {
    Op op;
    EntryKind was = EntryKind::free;
    bool flag = false;
    int32_t level;  // nesting of the subtransaction
    Index entry = nil;
    int32_t a = 0, b = 0, c = 0;
    TaskRef task{};
    int64_t x = 0, y = 0;
};

/// Room for `count` more, so that add cannot fail under a lock. Throws std::bad_alloc.
void make_room(size_t count);
PendingOp &add(Op op);

/// What an entry is wanted for. Ready tasks leave a quarter of all entries to others and timers an eighth, so that work which nobody takes does not keep the rest from
/// going on: without an entry they wait in their rows, while an advance that finds none costs a look at every active run.
enum class Claim : uint8_t { ready, timer, advance };

/// One entry for this transaction, of the kind `reserved`; nil when memory has none for that.
Index reserve_entry(Claim claim);

/// Whether this transaction has let a probe through that may not be leased yet; whether it will count the outcome of some attempt.
bool probes_pending() noexcept;
bool outcomes_pending() noexcept;

std::vector<PendingOp> &pending_ops();
std::vector<JoinChange> &pending_changes();

/// Pins a route for the transaction; the database's lock is held. make_room-like: pin_room() before.
void pin_room();
void pin(int route) noexcept;
bool pinned(int route) noexcept;

// Effects, by topic. The database's lock is held; they neither raise nor allocate ------------------------

// ready.cpp
void link_ready(Database &database, Index entry, Wakes &wakes) noexcept;
void lower_route(Database &database, int route, const RunId &run, int64_t count, Wakes &wakes) noexcept;
void requeue(Database &database, Index entry, Wakes &wakes) noexcept;
void requeue_due(Database &database, int64_t now, Wakes &wakes) noexcept;
void end_refill(Database &database, int route, const RunId &cursor, Wakes &wakes) noexcept;
// timers.cpp
void link_timer(Database &database, Index entry, Wakes &wakes) noexcept;
void lower_rescan(Database &database, int64_t due, Wakes &wakes) noexcept;
// advances.cpp
void link_advance(Database &database, Index entry, Wakes &wakes) noexcept;
void queue_advance(Database &database, Index &spare, const TaskRef &task, Wakes &wakes) noexcept;  // uses `spare` if it needs an entry
void set_sweep(Database &database, Wakes &wakes) noexcept;
void end_run(Database &database, const RunId &run, Wakes &wakes) noexcept;
void wake_awaiting(Database &database, const RunId &run, Wakes &wakes) noexcept;
// leases.cpp
void hold_lease(Database &database, Index lease, Wakes &wakes) noexcept;
void drop_lease(Database &database, Index lease, Wakes &wakes) noexcept;
void end_lease(Database &database, const TaskRef &task, int64_t token, Wakes &wakes) noexcept;
void stop_leases(Database &database, const TaskRef &task, Wakes &wakes) noexcept;
// circuits.cpp
int circuit_for(Database &database, std::string_view tenant, std::string_view name) noexcept;  // folded names; no_slot when there is no room
void close_circuits(Database &database) noexcept;
void tick_circuits(Database &database, int64_t now, Wakes &wakes) noexcept;
void enter_circuit(Database &database, int circuit, const TaskRef &task) noexcept;  // the ops have room
void leave_circuit(Database &database, int circuit, uint32_t probe, Wakes &wakes) noexcept;
void count_outcome(Database &database, const PendingOp &op, Wakes &wakes) noexcept;
void add_own_blocked(const Database &database, Bitmap<max_routes> &blocked) noexcept;  // by what this transaction has told so far
bool falls_back(const Database &database) noexcept;
// counters.cpp
void drop_counters(Database &database, const RunId &run) noexcept;
void lower_counters(Database &database, const PendingOp &op, const JoinChange *changes, Wakes &wakes) noexcept;
// routes.cpp
void forget_routes(Database &database) noexcept;  // all but those that somebody has pinned
// meters.cpp
void count_number(Database &database, const PendingOp &op) noexcept;
void count_timing(Database &database, const PendingOp &op) noexcept;
// database.cpp
void start_over(Database &database) noexcept;
// active.cpp
void change_active(Database &database, int32_t workflow_id, int32_t delta) noexcept;

/// An entry from the database's own list, the pool behind it; nil when there is none for that. For what acts at once.
Index draw_entry(Database &database, Claim claim) noexcept;
void free_entry(Database &database, Index entry) noexcept;

/// For lower_counters, whose entries were reserved one by one: the transaction's next spare entry.
Index next_spare() noexcept;
void keep_spare(Index entry) noexcept;
/// Makes sure of `count` spare entries; fewer when memory has none for that.
void reserve_spares(int count, Claim claim);

/// At process exit and at the end of every transaction that published one. feed.cpp
void clear_floor() noexcept;

}  // namespace orch::shared
