// What lies in shared memory. For the files of shared/ only; everybody else speaks to their functions.
//
// Sizes: orch.ready_memory (three quarters entries, one quarter counters) plus some 25 MB of fixed tables, of which the operating system gives only what was touched.
// Locks, one tranche "orch": one for each database slot, which guards all that belongs to the database wherever it lies; the pool's, for what belongs to nobody;
// and those of sets of rate buckets, taken alone.
// Order: database, then pool; never two databases. Nothing under a lock may raise, allocate or loop without bound, since commit and abort callbacks take them too.
#pragma once

#include "core/circuit.hpp"
#include "shared/bitmap.hpp"
#include "shared/buddy.hpp"
#include "shared/database.hpp"
#include "shared/free_list.hpp"
#include "shared/hash_chains.hpp"
#include "shared/hints.hpp"
#include "shared/key_queue.hpp"
#include "shared/meters.hpp"
#include "shared/refusals.hpp"
#include "shared/timers.hpp"
#include "shared/types.hpp"

#include "pg/bridge.hpp"

namespace orch::shared {

inline constexpr int name_bytes = 128;
inline constexpr int serves_bytes = 2048;
inline constexpr uint8_t no_database = 0xff;

enum class EntryKind : uint8_t { free, reserved, ready, requeued, timer, advance, taken };

/// A ready task, a timer or an advance: 48 bytes, so that a million fit into the default.
struct Entry {
    RunId run;
    int64_t key;  // sort key, or due time
    int32_t task_no;
    Index child;      // heap; chain of the index of advances
    Index next;       // heap, free list, fifo
    int32_t route;    // slot, of ready ones
    uint32_t due_ms;  // of requeued ones: monotonic milliseconds, compared by their difference
    EntryKind kind;
    uint8_t database;
    TimerKind timer;
    uint8_t spare;

    TaskRef task() const noexcept { return {run, task_no}; }
};
static_assert(sizeof(Entry) == 48);

inline uint64_t hash_of(const TaskRef &task) noexcept { return hash_id(task.run, static_cast<uint64_t>(task.task_no)); }

/// First in, first out.
struct EntryFifo {
    Index first = nil;
    Index last = nil;
    uint32_t count = 0;

    void push(Entry *nodes, Index index) noexcept
    {
        nodes[index].next = nil;
        if (last == nil) first = index;
        else nodes[last].next = index;
        last = index;
        count++;
    }
    Index pop(Entry *nodes) noexcept
    {
        const Index index = first;
        if (index == nil) return nil;
        first = nodes[index].next;
        if (first == nil) last = nil;
        count--;
        return index;
    }
};

enum class LeasePhase : uint8_t { free, pending, held };

struct Lease {
    TaskRef task;
    int32_t worker;  // slot, or no_slot
    int64_t token;
    int64_t lease_time;
    int64_t deadline;     // monotonic
    int64_t quiet_until;  // offered to a reaper: not again before
    Index chain;          // index by task
    Index next, prev;     // the worker's leases; next also of the free list
    LeasePhase state;
    uint8_t database;
    bool cancel;
    int16_t attempt;
    int32_t circuit;  // of a probe: whose; else no_slot
    uint32_t probe;   // its number, 0 = none
};

/// A list of leases with a lower bound of their deadlines, recomputed when it has passed: extending or ending a lease costs no heap operation.
struct LeaseList {
    Index head = nil;
    uint32_t count = 0;
    int64_t earliest = INT64_MAX;
};

struct Route {
    Index next;  // free list
    uint8_t database;
    bool is_sql;
    bool refilling;
    bool fallback;          // its tasks have one
    bool circuit_left_out;  // there was no room for it
    int32_t circuit;        // that its tasks wait for, or no_slot
    int32_t route_id;
    Oid extension;  // whose rows the number is of: dropped and created again, it counts from 1 again
    int32_t pins;   // transactions that know the slot
    int64_t last_used;
    KeyQueue<Entry> ready;
    RunId cursor;    // smallest run that may have ready rows not in memory
    uint32_t hints;  // tasks that became ready since the notifier looked
    char queue[name_bytes + 1], handler[name_bytes + 1], tenant[name_bytes + 1];

    bool in_use() const noexcept { return ready.count > 0 || cursor != no_run || refilling || pins > 0; }
};

struct Worker {
    Index next;  // free list
    uint8_t database;
    bool draining, closed;
    bool woken;        // its waiter was given a wake that it has not used
    bool cancel_news;  // a lease of it is to be cancelled, and no heartbeat told it yet
    int32_t worker_id;
    int32_t waiter;      // process number of its await_work, or no_slot
    int32_t runner_pid;  // of a SQL runner: interrupted when a lease of it is to be cancelled; else 0
    uint64_t name_hash;
    int64_t last_seen, last_seen_wall;
    int64_t owed_at;      // a wake was given: unless it calls by then, somebody else gets it; 0 = none
    LeaseList leases;     // pending ones too
    int64_t rests_until;  // monotonic: it has no connection, waits for hints, and counts as alive; 0 = it does not rest
    Bitmap<max_routes> routes;
    char name[name_bytes + 1], tenant[name_bytes + 1];
    uint16_t serves_length;
    char serves[serves_bytes];  // count, then length and bytes of each queue; the same of handlers; length and bytes of the tenant
};

struct RunWaiter {
    RunId run;
    Index chain;
    Index next;  // free list
    int32_t process;
};

struct FeedWaiter {
    int32_t process;  // no_slot when free
    uint8_t database;
    bool idle;
};

struct JoinSlot {
    uint32_t succeeded, failed, skipped;
    uint32_t upstream_failed : 31;
    uint32_t fired : 1;
};

/// Begins at a unit of the arena; more joins follow in the units behind.
struct CountersBlock {
    RunId run;
    Index chain;
    int32_t open;
    int32_t join_count;
    uint8_t database;
    JoinSlot joins[2];
};
static_assert(sizeof(CountersBlock) == BuddyArena::unit);

struct CircuitSlot {
    core::Circuit breaker;
    bool used;
    int64_t opened_wall, half_open_wall;  // 0 = closed
    int64_t last_used;
    char name[name_bytes + 1], tenant[name_bytes + 1];
};

struct ActiveCount {
    int32_t workflow_id;  // 0 = free
    int32_t count;
};

struct MeteredName {
    bool used;
    char name[name_bytes + 1], tenant[name_bytes + 1];
};

struct Durations {
    uint64_t buckets[timing_buckets];
    int64_t sum_us;
};

inline constexpr int most_event_kinds = 128;
inline constexpr int metered_names = 48;  // the first is that of all who found no place

struct Meters {
    int64_t events[most_event_kinds];
    int64_t levels[level_count];
    MeteredName queues[metered_names], workflows[metered_names];
    Durations durations[timing_count * metered_names];
};

struct Database {
    // Under the pool's lock.
    Oid oid;  // 0 = free
    bool wants_steward;
    bool left_in_order;  // the last steward went because it was to, not by an error
    Oid built_for;       // the extension whose rows memory holds: dropped and created again, it has another oid
    pid_t aside_by;      // who asked background workers to leave this database; 0 = nobody

    // Atomic.
    pg_atomic_uint32 phase, generation, seeded, partitions_wanted, cancels_unseen;
    pg_atomic_uint64 last_id, first_ms, end_ms, positions;
    pg_atomic_uint64 uses_due;  // monotonic: when the uses of tokens are written; UINT64_MAX = there are none
    ConditionVariable changed;

    // Under the database's lock.
    int32_t steward;  // process number, or no_slot
    pid_t steward_pid;
    int64_t steward_wakes_at;   // monotonic; 0 while it is awake and will look by itself
    int64_t steward_called_at;  // monotonic: since when it is awake, its last look or the poke that woke it
    bool recheck, sweep, look_for_runners;
    pid_t helpers[max_helpers];

    FreeList<Entry> free;
    KeyQueue<Entry> timers;
    int64_t rescan_at;
    EntryFifo requeued, advances;
    uint32_t ready_count;
    int64_t owed_due;  // the earliest owed_at of its workers
    Bitmap<max_routes> routes, filled, spilled;
    Bitmap<max_workers> workers, idle;  // idle: somebody sleeps for it and was not woken
    Bitmap<max_workers> resting;
    Bitmap<max_routes> hinted;  // marked for the notifier
    int64_t unsure_until;       // monotonic: until then it is not known who rests
    char name[64];
    int32_t wake_from;  // where the search for an idle worker goes on
    LeaseList orphans;
    uint32_t lease_count;
    int32_t feed_waiters;
    int32_t listeners[max_listeners];  // processes that sleep for many workers; no_slot where free

    CircuitSlot circuits[max_circuits];
    Bitmap<max_routes> blocked;  // routes whose circuit lets nobody through
    int64_t circuits_due;        // the earliest half-opening

    ActiveCount active[max_active_counts];
    bool active_overflow, active_touched;

    Refusal refusals[max_refusals];
    uint32_t refusal_first, refusal_count;
    int64_t refusals_at;  // monotonic: not before, while a row that one is about is locked
    int64_t refusals_dropped;

    Meters meters;

    HashChains<Entry, &Entry::child, 4096> advance_index;
    HashChains<Lease, &Lease::chain, 16384> lease_index;
    HashChains<CountersBlock, &CountersBlock::chain, 32768> counters_index;
    HashChains<RunWaiter, &RunWaiter::chain, 256> run_waiters;
};

/// A token bucket, of 48 bytes; full_at in the past: nobody's.
struct RateBucket {
    uint64_t key[2];
    int64_t full_at;   // monotonic
    int64_t used_at;   // wall clock: a use of the token that no row tells yet; else 0
    int32_t token_id;  // 0 = not a token's
    Oid database;
};

inline constexpr uint32_t rate_sets = 1024;
inline constexpr uint32_t rate_ways = 8;
inline constexpr uint32_t rate_locks = 16;
inline constexpr int first_rate_lock = 1 + max_databases;

struct Floor {
    pg_atomic_uint64 position;  // UINT64_MAX = none
    pg_atomic_uint32 database;
};

struct Root {
    pg_atomic_uint64 clock_offset;
    pg_atomic_uint64 wall_offset;  // further, of the wall clock alone
    pg_atomic_uint32 launcher;     // process number + 1, 0 = none
    pg_atomic_uint32 notifier;     // the same
    pg_atomic_uint32 hints_pending;
    NotifierStatus notifier_status;  // under the pool's lock
    uint64_t name_seed[2];
    Pool<Entry> entries;
    Pool<Lease> leases;
    Pool<Route> routes;
    Pool<Worker> workers;
    Pool<RunWaiter> run_waiters;
    BuddyArena counters;
    int32_t processes;
    FeedWaiter feed_waiters[max_feed_waiters];  // under the database's lock once taken, the pool's while free
    RateBucket buckets[rate_sets * rate_ways];  // under the lock of the set, as are those of addresses
    RateBucket address_buckets[rate_sets * rate_ways];
    Database databases[max_databases];
};

// One mapping, made before any fork, so that these are the same in all processes; nullptr where orch is not preloaded.
extern Root *root;
extern Entry *entries;
extern Lease *leases;
extern Route *routes;
extern Worker *workers;
extern RunWaiter *run_waiters;
extern Floor *floors;
extern std::byte *arena;
extern uint8_t *arena_marks;
extern LWLockPadded *locks;  // the pool's, then the databases', then those of rate buckets

/// This backend's slot, or nullptr before database() was called.
extern Database *mine;

inline CountersBlock *counter_blocks() noexcept { return reinterpret_cast<CountersBlock *>(arena); }
inline uint8_t number_of(const Database &database) noexcept { return static_cast<uint8_t>(&database - root->databases); }

template <class F>
auto with_lock(LWLock *lock, LWLockMode mode, F &&f)
{
    LWLockAcquire(lock, mode);
    if constexpr (std::is_void_v<decltype(f())>) {
        f();
        LWLockRelease(lock);
    } else {
        auto result = f();
        LWLockRelease(lock);
        return result;
    }
}

/// f may not throw or ereport.
template <class F>
auto with_pool(F &&f)
{
    return with_lock(&locks[0].lock, LW_EXCLUSIVE, f);
}
template <class F>
auto with_database(const Database &database, F &&f)
{
    return with_lock(&locks[1 + number_of(database)].lock, LW_EXCLUSIVE, f);
}
template <class F>
auto with_database_shared(const Database &database, F &&f)
{
    return with_lock(&locks[1 + number_of(database)].lock, LW_SHARED, f);
}

/// Requests and makes the segment; in _PG_init.
void install_segment_hooks();

/// A slot as it is born: the pool's lock is held, nobody else knows it.
void init_database(Database &database, Oid oid) noexcept;
/// Forgets all but routes, workers, waiters and what open transactions hold. The database's lock is held.
void forget_contents(Database &database) noexcept;
/// Gives everything back and frees the slot: the database is gone, with all its sessions.
void free_database(Database &database) noexcept;

}  // namespace orch::shared
