// The segment itself: how large, where what lies, and how it looks when the server has just started.
#include "shared/layout.hpp"

#include "shared/settings.hpp"

namespace orch::shared {

Root *root;
Entry *entries;
Lease *leases;
Route *routes;
Worker *workers;
RunWaiter *run_waiters;
Floor *floors;
std::byte *arena;
uint8_t *arena_marks;
LWLockPadded *locks;
Database *mine;

namespace {

shmem_request_hook_type next_request_hook;
shmem_startup_hook_type next_startup_hook;

struct Sizes {
    size_t entries;  // how many
    size_t arena;    // bytes
    size_t processes;
    size_t total;
};

constexpr size_t aligned(size_t bytes) { return (bytes + 127) & ~size_t{127}; }

Sizes sizes()
{
    const size_t memory = static_cast<size_t>(settings::ready_memory_kb) * 1024;
    Sizes s{};
    s.entries = memory / 4 * 3 / sizeof(Entry);
    s.arena = memory / 4 / BuddyArena::unit * BuddyArena::unit;
    // Backends, background workers and auxiliary processes; prepared transactions never run our code.
    s.processes = static_cast<size_t>(MaxBackends) + 32;
    s.total = aligned(sizeof(Root)) + aligned(s.entries * sizeof(Entry)) + aligned(max_leases * sizeof(Lease)) + aligned(max_routes * sizeof(Route)) +
              aligned(max_workers * sizeof(Worker)) + aligned(max_run_waiters * sizeof(RunWaiter)) + aligned(s.processes * sizeof(Floor)) + aligned(s.arena) +
              aligned(BuddyArena::mark_bytes(s.arena)) + 128;
    return s;
}

template <class T>
T *carve(char *&at, size_t count)
{
    T *place = reinterpret_cast<T *>(at);
    at += aligned(count * sizeof(T));
    return place;
}

void init_root(const Sizes &s)
{
    pg_atomic_init_u64(&root->clock_offset, 0);
    pg_atomic_init_u64(&root->wall_offset, 0);
    pg_atomic_init_u32(&root->launcher, 0);
    pg_atomic_init_u32(&root->notifier, 0);
    pg_atomic_init_u32(&root->hints_pending, 0);
    if (!pg_strong_random(root->name_seed, sizeof(root->name_seed))) ereport(FATAL, (errmsg("could not generate random numbers for orch")));
    root->entries = {{}, 0, static_cast<uint32_t>(s.entries)};
    root->leases = {{}, 0, max_leases};
    root->routes = {{}, 0, max_routes};
    root->workers = {{}, 0, max_workers};
    root->run_waiters = {{}, 0, max_run_waiters};
    root->processes = static_cast<int32_t>(s.processes);
    for (FeedWaiter &waiter : root->feed_waiters) waiter = {no_slot, no_database, false};
    for (size_t i = 0; i < s.processes; i++) {
        pg_atomic_init_u64(&floors[i].position, UINT64_MAX);
        pg_atomic_init_u32(&floors[i].database, no_database);
    }
    // Fresh shared memory is zero: an entry, lease, worker or route with database 0 and kind `free` belongs to nobody until it is drawn.
    root->counters.init(arena, arena_marks, s.arena);
    for (Database &database : root->databases) database.oid = InvalidOid;
}

void request()
{
    if (next_request_hook) next_request_hook();
    RequestAddinShmemSpace(sizes().total);
    RequestNamedLWLockTranche("orch", first_rate_lock + static_cast<int>(rate_locks));
}

void startup()
{
    if (next_startup_hook) next_startup_hook();
    const Sizes s = sizes();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    bool found = false;
    char *at = static_cast<char *>(ShmemInitStruct("orch", s.total, &found));
    at += aligned(reinterpret_cast<size_t>(at)) - reinterpret_cast<size_t>(at);
    root = carve<Root>(at, 1);
    entries = carve<Entry>(at, s.entries);
    leases = carve<Lease>(at, max_leases);
    routes = carve<Route>(at, max_routes);
    workers = carve<Worker>(at, max_workers);
    run_waiters = carve<RunWaiter>(at, max_run_waiters);
    floors = carve<Floor>(at, s.processes);
    arena = carve<std::byte>(at, s.arena);
    arena_marks = carve<uint8_t>(at, BuddyArena::mark_bytes(s.arena));
    locks = GetNamedLWLockTranche("orch");
    if (!found) init_root(s);
    LWLockRelease(AddinShmemInitLock);
}

bool belongs(const Entry &entry, uint8_t number) { return entry.database == number && entry.kind != EntryKind::free; }

}  // namespace

void install_segment_hooks()
{
    next_request_hook = shmem_request_hook;
    shmem_request_hook = request;
    next_startup_hook = shmem_startup_hook;
    shmem_startup_hook = startup;
}

void init_database(Database &database, Oid oid) noexcept
{
    std::memset(static_cast<void *>(&database), 0, sizeof(database));
    database.oid = oid;
    pg_atomic_init_u32(&database.phase, static_cast<uint32_t>(Phase::closed));
    pg_atomic_init_u32(&database.generation, 0);
    pg_atomic_init_u32(&database.seeded, 0);
    pg_atomic_init_u32(&database.partitions_wanted, 0);
    pg_atomic_init_u32(&database.cancels_unseen, 0);
    for (pg_atomic_uint64 *number : {&database.last_id, &database.first_ms, &database.end_ms, &database.positions}) pg_atomic_init_u64(number, 0);
    pg_atomic_init_u64(&database.uses_due, UINT64_MAX);
    ConditionVariableInit(&database.changed);
    database.steward = no_slot;
    std::fill(std::begin(database.listeners), std::end(database.listeners), no_slot);
    database.free = {};
    database.timers = {};
    database.rescan_at = INT64_MAX;
    database.requeued = {};
    database.advances = {};
    database.owed_due = INT64_MAX;
    database.circuits_due = INT64_MAX;
    database.orphans = {};
    database.advance_index.clear();
    database.lease_index.clear();
    database.counters_index.clear();
    database.run_waiters.clear();
}

void forget_contents(Database &database) noexcept
{
    const uint8_t number = number_of(database);
    const uint32_t used = root->entries.fresh;
    for (Index i = 0; i < used; i++) {
        Entry &entry = entries[i];
        if (!belongs(entry, number) || entry.kind == EntryKind::reserved || entry.kind == EntryKind::taken) continue;
        entry.kind = EntryKind::free;
        database.free.push(entries, i);
    }
    database.timers = {};
    database.rescan_at = INT64_MAX;
    database.requeued = {};
    database.advances = {};
    database.advance_index.clear();
    database.ready_count = 0;
    database.sweep = false;
    database.filled.clear();
    database.spilled.clear();
    close_circuits(database);
    database.routes.each([&](int slot) {
        routes[slot].ready = {};
        routes[slot].cursor = no_run;
    });

    // A pending lease stays: its transaction will make it held or take it away.
    database.orphans = {};
    database.lease_index.clear();
    database.lease_count = 0;
    database.workers.each([&](int slot) { workers[slot].leases = {}; });
    const uint32_t leases_used = root->leases.fresh;
    for (Index i = 0; i < leases_used; i++) {
        Lease &lease = leases[i];
        if (lease.database != number || lease.state == LeasePhase::free) continue;
        if (lease.state == LeasePhase::held) {
            lease.state = LeasePhase::free;
            with_pool([&] { root->leases.push(leases, i); });
            continue;
        }
        LeaseList &list = lease.worker == no_slot ? database.orphans : workers[lease.worker].leases;
        lease.prev = nil;
        lease.next = list.head;
        if (list.head != nil) leases[list.head].prev = i;
        list.head = i;
        list.count++;
        database.lease_index.insert(leases, i, hash_id(lease.task.run, static_cast<uint64_t>(lease.task.task_no)));
    }

    with_pool([&] {
        for (Index &head : database.counters_index.heads) {
            while (head != nil) {
                const Index block = head;
                head = counter_blocks()[block].chain;
                root->counters.free(arena, arena_marks, block);
            }
        }
        give_back(root->entries, database.free, entries, 1024);
    });
}

void free_database(Database &database) noexcept
{
    const uint8_t number = number_of(database);
    with_database(database, [&] {
        forget_contents(database);
        with_pool([&] {
            for (Index i = 0; i < root->entries.fresh; i++) {
                if (!belongs(entries[i], number)) continue;
                entries[i].kind = EntryKind::free;
                root->entries.push(entries, i);
            }
            give_back(root->entries, database.free, entries, 0);
            for (Index i = 0; i < root->leases.fresh; i++) {
                if (leases[i].database != number || leases[i].state == LeasePhase::free) continue;
                leases[i].state = LeasePhase::free;
                root->leases.push(leases, i);
            }
            database.routes.each([](int slot) { root->routes.push(routes, static_cast<Index>(slot)); });
            database.workers.each([](int slot) { root->workers.push(workers, static_cast<Index>(slot)); });
            database.oid = InvalidOid;
        });
    });
}

}  // namespace orch::shared
