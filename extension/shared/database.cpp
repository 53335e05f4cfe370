// The slot of a database: finding it, its phase, its steward and runners, and what a process leaves behind when it exits.
#include "shared/database.hpp"

#include "shared/clock.hpp"
#include "shared/feed.hpp"
#include "shared/hinting.hpp"
#include "shared/launching.hpp"
#include "shared/layout.hpp"
#include "shared/pending.hpp"
#include "shared/run_waiters.hpp"
#include "shared/waiting.hpp"
#include "shared/wakes.hpp"

#include <csignal>

namespace orch::shared {

namespace {

bool cleanup_registered = false;
bool is_steward = false;
bool is_launcher = false;
bool is_helper = false;
Oid aside_of = InvalidOid;

Database *find_slot(Oid oid) noexcept
{
    for (Database &database : root->databases)
        if (database.oid == oid) return &database;
    return nullptr;
}

void close_contents(Database &slot) noexcept
{
    forget_contents(slot);
    pg_atomic_write_u32(&slot.seeded, 0);
    pg_atomic_write_u64(&slot.first_ms, 0);
    pg_atomic_write_u64(&slot.end_ms, 0);
}

void at_exit(int, Datum)
{
    leave_waits();
    leave_listening();
    clear_floor();
    if (is_launcher) pg_atomic_write_u32(&root->launcher, 0);
    come_back();
    leave_notifier();
    if (!mine) return;
    bool gone = false;
    with_database(*mine, [&] {
        if (is_steward && mine->steward_pid == MyProcPid) {
            mine->steward = no_slot;
            mine->steward_pid = 0;
            gone = true;
        }
        if (is_helper) {
            for (pid_t &helper : mine->helpers)
                if (helper == MyProcPid) helper = 0;
            // Its number may be given to another process, which is not to be interrupted.
            mine->workers.each([](int slot) {
                if (workers[slot].runner_pid == MyProcPid) workers[slot].runner_pid = 0;
            });
        }
    });
    is_steward = is_helper = false;
    if (gone) wake_launcher();
}

}  // namespace

bool preloaded() noexcept { return root != nullptr; }

void require_preloaded()
{
    if (!preloaded())
        throw pg::error{pg::not_preloaded, "orch is not preloaded",
                        "Its queues and leases live in shared memory, which only a library loaded at server start can have.",
                        "Add orch to shared_preload_libraries and restart the server."};
}

void leave_waits() noexcept
{
    leave_work_wait();
    run_wait_end();
    feed_wait_end();
}

bool has_slot() noexcept
{
    if (!root) return false;
    return mine || with_pool([] { return find_slot(MyDatabaseId) != nullptr; });
}

Database &database()
{
    if (mine) return *mine;
    require_preloaded();
    bool born = false;
    Database *found = with_pool([&]() -> Database * {
        Database *slot = find_slot(MyDatabaseId);
        if (slot) return slot;
        slot = find_slot(InvalidOid);
        if (!slot) return nullptr;
        init_database(*slot, MyDatabaseId);
        born = true;
        return slot;
    });
    if (!found)
        throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many databases use orch: the limit is " + std::to_string(max_databases), "",
                        "Drop the extension, or the database, where it is not needed, and restart the server."};
    mine = found;
    // CREATE EXTENSION asks at its commit: a steward that came before would find nothing.
    if (born && !creating_extension) {
        set_wants_steward(true);
        wake_launcher();
    }
    return *mine;
}

Phase phase() { return static_cast<Phase>(pg_atomic_read_u32(&database().phase)); }

uint32_t generation() { return pg_atomic_read_u32(&database().generation); }

// A new extension in a database that had one before, in the same life of the server: whatever memory knows is of tables that are gone.
void start_over(Database &slot) noexcept
{
    pg_atomic_write_u32(&slot.phase, static_cast<uint32_t>(Phase::closed));
    close_contents(slot);
    // The new extension's own first transaction has pinned what it knows already.
    forget_routes(slot);
    slot.workers.each([](int worker) { workers[worker].worker_id = 0; });
    with_pool([&] { slot.built_for = InvalidOid; });
}

void set_phase(Phase phase)
{
    Database &slot = database();
    Wakes wakes;
    with_database(slot, [&] {
        pg_atomic_write_u32(&slot.phase, static_cast<uint32_t>(phase));
        if (phase == Phase::rebuilding) {
            pg_atomic_fetch_add_u32(&slot.generation, 1);
            forget_contents(slot);
        }
        if (phase == Phase::closed) close_contents(slot);
        // Whoever sleeps for work looks again: there may be some now, or none for long.
        slot.workers.each([&](int worker) { wake_worker(slot, workers[worker], wakes); });
        if (phase == Phase::open) hint_opened(slot, wakes);
    });
    wakes.flush();
    pg::call_pg([&] { ConditionVariableBroadcast(&slot.changed); });
}

bool wait_until(bool (*reached)(Database &), int64_t timeout_ms)
{
    Database &slot = database();
    if (reached(slot)) return true;
    wake_steward();  // where nothing was defined yet it looks again
    const int64_t until = monotonic_us() + timeout_ms * 1000;
    bool is_reached = false;
    pg::call_pg([&] {
        ConditionVariablePrepareToSleep(&slot.changed);
        while (!(is_reached = reached(slot))) {
            const int64_t left = until - monotonic_us();
            if (left <= 0 || pg_atomic_read_u32(&slot.phase) == static_cast<uint32_t>(Phase::held)) break;
            // Never the whole time: a moved clock ends the wait as well.
            ConditionVariableTimedSleep(&slot.changed, std::clamp<long>(left / 1000, 1, 1000), pg::wait_event("OrchDatabaseOpen"));
        }
        ConditionVariableCancelSleep();
    });
    return is_reached;
}

bool wait_until_open(int64_t timeout_ms)
{
    return wait_until([](Database &slot) { return pg_atomic_read_u32(&slot.phase) == static_cast<uint32_t>(Phase::open); }, timeout_ms);
}

// Background processes ------------------------------------------------------------

void register_exit_cleanup()
{
    if (cleanup_registered) return;
    pg::call_pg([] { before_shmem_exit(at_exit, static_cast<Datum>(0)); });
    cleanup_registered = true;
}

bool become_steward()
{
    Database &slot = database();
    register_exit_cleanup();
    is_steward = with_database(slot, [&] {
        if (slot.steward_pid != 0 && slot.steward_pid != MyProcPid) return false;
        slot.steward_pid = MyProcPid;
        slot.steward = pg::my_process_number();
        slot.steward_wakes_at = 0;
        slot.steward_called_at = monotonic_us();
        return true;
    });
    if (is_steward) with_pool([&] { slot.left_in_order = false; });
    return is_steward;
}

void set_wants_steward(bool wants)
{
    Database &slot = database();
    with_pool([&] { slot.wants_steward = wants; });
}

Oid built_for()
{
    Database &slot = database();
    return with_pool([&] { return slot.built_for; });
}

void set_built_for(Oid extension)
{
    Database &slot = database();
    with_pool([&] { slot.built_for = extension; });
}

void leave_in_order() noexcept
{
    if (mine) with_pool([] { mine->left_in_order = true; });
}

int steward_pid()
{
    Database &slot = database();
    return with_database_shared(slot, [&] { return slot.steward_pid; });
}

int64_t steward_late_us()
{
    Database &slot = database();
    return with_database_shared(slot, [&] {
        if (slot.steward_pid == 0) return int64_t{0};
        return std::max<int64_t>(monotonic_us() - (slot.steward_wakes_at == 0 ? slot.steward_called_at : slot.steward_wakes_at), 0);
    });
}

void wake_steward() noexcept
{
    if (!mine) return;
    Wakes wakes;
    const bool none = with_database(*mine, [&] {
        if (mine->steward_wakes_at != 0) mine->steward_called_at = monotonic_us();
        mine->steward_wakes_at = 0;
        wakes.add(mine->steward);
        return mine->steward == no_slot;
    });
    wakes.flush();
    if (none) wake_launcher();
}

void wake_launcher() noexcept
{
    if (!root) return;
    const uint32_t launcher = pg_atomic_read_u32(&root->launcher);
    if (launcher > 0) SetLatch(pg::latch_of(static_cast<int>(launcher) - 1));
}

void wake_all_stewards() noexcept
{
    for (Database &slot : root->databases) {
        const int32_t steward = slot.steward;
        if (slot.oid != InvalidOid && steward != no_slot) SetLatch(pg::latch_of(steward));
    }
    wake_launcher();
}

void become_launcher()
{
    register_exit_cleanup();
    pg_atomic_write_u32(&root->launcher, static_cast<uint32_t>(pg::my_process_number()) + 1);
    is_launcher = true;
}

bool helper_begin()
{
    Database &slot = database();
    register_exit_cleanup();
    is_helper = with_database(slot, [&] {
        for (pid_t &helper : slot.helpers) {
            if (helper != 0) continue;
            helper = MyProcPid;
            return true;
        }
        return false;
    });
    return is_helper && !told_to_leave();
}

// For DROP DATABASE and its like -----------------------------------------------------

int database_notes(DatabaseNote *out) noexcept
{
    return with_pool([&] {
        int count = 0;
        for (const Database &slot : root->databases)
            if (slot.oid != InvalidOid) out[count++] = {slot.oid, slot.wants_steward, slot.left_in_order, slot.aside_by != 0, slot.steward_pid};
        return count;
    });
}

void forget_database(Oid oid) noexcept
{
    Database *slot = with_pool([&] { return find_slot(oid); });
    if (slot) free_database(*slot);
}

bool step_aside(Oid oid)
{
    register_exit_cleanup();
    Database *slot = with_pool([&]() -> Database * {
        Database *found = find_slot(oid);
        if (found) found->aside_by = MyProcPid;
        return found;
    });
    if (!slot) return false;
    aside_of = oid;
    Wakes wakes;
    with_database(*slot, [&] { wakes.add(slot->steward); });
    wakes.flush();
    return true;
}

int still_there(Oid oid, bool terminate) noexcept
{
    Database *slot = with_pool([&] { return find_slot(oid); });
    if (!slot) return 0;
    pid_t there[max_helpers + 1];
    const int count = with_database_shared(*slot, [&] {
        int n = 0;
        if (slot->steward_pid != 0) there[n++] = slot->steward_pid;
        for (const pid_t helper : slot->helpers)
            if (helper != 0) there[n++] = helper;
        return n;
    });
    if (terminate)
        for (int i = 0; i < count; i++) kill(there[i], SIGTERM);
    return count;
}

void come_back() noexcept
{
    if (!OidIsValid(aside_of)) return;
    with_pool([] {
        Database *slot = find_slot(aside_of);
        if (slot && slot->aside_by == MyProcPid) slot->aside_by = 0;
    });
    aside_of = InvalidOid;
    wake_launcher();
}

bool told_to_leave() noexcept
{
    return mine && with_pool([] { return mine->aside_by != 0; });
}

bool take_recheck() noexcept
{
    return with_database(*mine, [] {
        const bool wanted = mine->recheck;
        mine->recheck = false;
        return wanted;
    });
}

// At commit -----------------------------------------------------------------------

void on_commit_wake_steward()
{
    database();
    add(Op::wake_steward);
}

void on_commit_attach()
{
    database();
    add(Op::attach);
    add(Op::recheck);
}

void on_commit_wake_launcher() { add(Op::launcher); }

void on_commit_recheck()
{
    database();
    add(Op::recheck);
}

}  // namespace orch::shared
