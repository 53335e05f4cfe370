// Processes that sleep for many workers. Workers are woken as ever, one for each ready entry, by their waiter's latch; which of them it was is read from the workers.
#include "shared/workers.hpp"

#include "shared/clock.hpp"
#include "shared/hinting.hpp"
#include "shared/launching.hpp"
#include "shared/layout.hpp"
#include "shared/liveness.hpp"
#include "shared/pending.hpp"
#include "shared/upkeep.hpp"
#include "shared/waiting.hpp"

namespace orch::shared {

namespace {

bool listening = false;
uint32_t looked_at = 0;  // the generation of the database's contents, + 1, whose ready tasks this process has looked through

bool is_listener(const Database &database, int32_t process) noexcept
{
    return std::find(std::begin(database.listeners), std::end(database.listeners), process) != std::end(database.listeners);
}

bool has_news(const Worker &worker) noexcept { return worker.woken || worker.draining || worker.closed || worker.cancel_news; }

/// Its wake goes to somebody else: nobody will come for the work.
void stop_waiting(Database &database, int slot, Wakes &wakes) noexcept
{
    Worker &worker = workers[slot];
    worker.waiter = no_slot;
    database.idle.reset(slot);
    if (!worker.woken) return;
    worker.woken = false;
    worker.owed_at = 1;
    database.owed_due = 1;
    poke_steward(database, wakes);
}

}  // namespace

void listen_for_workers()
{
    Database &database = shared::database();
    register_exit_cleanup();
    const int32_t process = pg::my_process_number();
    listening = with_database(database, [&] {
        if (is_listener(database, process)) return true;
        for (int32_t &place : database.listeners)
            if (place == no_slot) {
                place = process;
                return true;
            }
        return false;
    });
    if (!listening)
        throw pg::error{
            ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many sessions wait for workers of others: the limit is " + std::to_string(max_listeners), {}, {}};
}

std::vector<int32_t> take_woken_workers()
{
    Database &database = shared::database();
    const int32_t process = pg::my_process_number();
    std::vector<int32_t> woken;
    woken.reserve(max_workers);
    Wakes wakes;
    with_database(database, [&] {
        const int64_t now = monotonic_us();
        const bool open = pg_atomic_read_u32(&database.phase) == static_cast<uint32_t>(Phase::open);
        if (open) {
            requeue_due(database, now, wakes);
            tick_circuits(database, now, wakes);
        }
        // What becomes ready wakes somebody, but what is there when a database opens: no more are told of it than there is, since each that comes in vain is a statement.
        const uint32_t generation = pg_atomic_read_u32(&database.generation) + 1;
        int64_t left = open && looked_at != generation ? database.ready_count + (database.spilled.any() ? max_workers : 0) : 0;
        if (open) looked_at = generation;
        database.workers.each([&](int slot) {
            Worker &worker = workers[slot];
            if (worker.waiter != process) return;
            if (!has_news(worker) && (left <= 0 || !may_find_work(database, worker))) return;
            left--;
            woken.push_back(worker.worker_id);
            worker.waiter = no_slot;
            worker.last_seen = now;
            worker.last_seen_wall = now_us();
            database.idle.reset(slot);
        });
    });
    wakes.flush();
    return woken;
}

bool worker_waits_with(int slot, int pid)
{
    Database &database = shared::database();
    int32_t process = no_slot;
    pg::call_pg([&] {
        PGPROC *backend = BackendPidGetProc(pid);
        if (backend) process = pg::process_number_of(backend);
    });
    Wakes wakes;
    enum class Answer { waits, work, stranger };
    const Answer answer = with_database(database, [&] {
        Worker &worker = workers[slot];
        if (process == no_slot || !is_listener(database, process)) return Answer::stranger;
        // A look and the place among those who wait under one lock: what becomes ready in between would wake nobody.
        const bool open = pg_atomic_read_u32(&database.phase) == static_cast<uint32_t>(Phase::open);
        if (worker.draining || worker.closed || worker.cancel_news || (open && may_find_work(database, worker))) return Answer::work;
        if (worker.waiter != process) wakes.add(worker.waiter);
        worker.waiter = process;
        worker.woken = false;
        worker.owed_at = 0;
        worker.last_seen = monotonic_us();
        worker.last_seen_wall = now_us();
        end_rest(worker);
        database.idle.set(slot);
        return Answer::waits;
    });
    wakes.flush();
    if (answer == Answer::stranger)
        throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                        "process " + std::to_string(pid) + " does not wait for workers",
                        {},
                        "Its session has to CALL orch.await_workers first."};
    return answer == Answer::waits;
}

void worker_waits_no_more(int slot)
{
    Database &database = shared::database();
    Wakes wakes;
    with_database(database, [&] {
        if (workers[slot].waiter != no_slot && is_listener(database, workers[slot].waiter)) stop_waiting(database, slot, wakes);
    });
    wakes.flush();
}

void leave_listening() noexcept
{
    if (!std::exchange(listening, false) || !mine) return;
    const int32_t process = pg::my_process_number();
    Wakes wakes;
    with_database(*mine, [&] {
        std::replace(std::begin(mine->listeners), std::end(mine->listeners), process, no_slot);
        mine->workers.each([&](int slot) {
            if (workers[slot].waiter == process) stop_waiting(*mine, slot, wakes);
        });
    });
    wakes.flush();
}

}  // namespace orch::shared
