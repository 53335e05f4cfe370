// Workers: a slot each, found by name or id; the routes it serves as a bitmap, kept up to date when routes or workers come.
#include "shared/workers.hpp"

#include "shared/clock.hpp"
#include "shared/hinting.hpp"
#include "shared/launching.hpp"
#include "shared/lease_lists.hpp"
#include "shared/liveness.hpp"
#include "shared/names.hpp"
#include "shared/pending.hpp"
#include "shared/routes.hpp"
#include "shared/settings.hpp"
#include "shared/upkeep.hpp"
#include "shared/waiting.hpp"

namespace orch::shared {

namespace {

int waiting_for = no_slot;  // the worker that this process sleeps for
int last_found = no_slot;   // a backend mostly speaks for one worker

// A worker's id, which is its tenant's, and the hash of both.
struct WorkerName {
    std::string tenant, name;                // folded
    uint64_t hash = 1469598103934665603ULL;  // FNV-1a; equal hashes are compared in full

    WorkerName(std::string_view of_tenant, std::string_view of_worker) : tenant(folded_name(of_tenant)), name(folded_name(of_worker))
    {
        for (const std::string *part : {&tenant, &name}) {
            for (const char c : *part) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ULL;
            hash *= 1099511628211ULL;
        }
    }
    bool is(const Worker &worker) const noexcept { return worker.name_hash == hash && name == worker.name && tenant == worker.tenant; }
};

/// Packs what a worker serves as layout.hpp says; false where it does not fit.
bool pack(const WorkerServes &serves, char (&into)[serves_bytes], uint16_t &length)
{
    size_t at = 0;
    const auto put = [&](std::string_view name) {
        if (at + 1 + name.size() > serves_bytes) return false;
        into[at++] = static_cast<char>(name.size());
        std::memcpy(into + at, name.data(), name.size());
        at += name.size();
        return true;
    };
    for (const auto &list : {serves.queues, serves.handlers}) {
        if (list.size() > 255 || at == serves_bytes) return false;
        into[at++] = static_cast<char>(list.size());
        for (const std::string_view name : list)
            if (!put(folded_name(name))) return false;
    }
    if (!put(folded_name(serves.tenant))) return false;
    length = static_cast<uint16_t>(at);
    return true;
}

bool reusable(const Worker &worker, int64_t now) noexcept
{
    return worker.leases.count == 0 && worker.waiter == no_slot && (worker.closed || !is_alive(worker, now));
}

int free_slot(Database &database, int64_t now) noexcept
{
    const Index fresh = with_pool([] { return root->workers.pop(workers); });
    if (fresh != nil) return static_cast<int>(fresh);
    int oldest = no_slot;
    database.workers.each([&](int slot) {
        if (reusable(workers[slot], now) && (oldest == no_slot || workers[slot].last_seen < workers[oldest].last_seen)) oldest = slot;
    });
    return oldest;
}

/// no_slot when all are taken by workers that are alive or hold leases.
int find_or_make(Database &database, const WorkerName &name) noexcept
{
    const int known = database.workers.find_from(0, [&](int slot) { return name.is(workers[slot]); });
    if (known != no_slot) return known;
    const int slot = free_slot(database, monotonic_us());
    if (slot == no_slot) return no_slot;
    Worker &worker = workers[slot];
    worker.database = number_of(database);
    worker.worker_id = 0;
    worker.draining = worker.closed = worker.woken = worker.cancel_news = false;
    worker.waiter = no_slot;
    worker.runner_pid = 0;
    worker.owed_at = worker.rests_until = 0;
    worker.leases = {};
    worker.name_hash = name.hash;
    worker.last_seen = 0;
    worker.serves_length = 3;
    std::memset(worker.serves, 0, 3);  // no queue, no handler, no tenant: nothing
    worker.routes.clear();
    copy_name(worker.name, name.name);
    copy_name(worker.tenant, name.tenant);
    database.workers.set(slot);
    return slot;
}

template <class Is>
int find_worker(Is is)
{
    Database &database = shared::database();
    return with_database_shared(database, [&]() -> int {
        if (last_found != no_slot && database.workers.test(last_found) && is(workers[last_found])) return last_found;
        last_found = database.workers.find_from(0, [&](int slot) { return is(workers[slot]); });
        return last_found;
    });
}

void touch(Worker &worker) noexcept
{
    worker.last_seen = monotonic_us();
    worker.last_seen_wall = now_us();
    worker.owed_at = 0;
    end_rest(worker);
}

}  // namespace

bool may_find_work(const Database &database, const Worker &worker) noexcept
{
    for (int w = 0; w < worker.routes.words; w++) {
        const uint64_t open = worker.routes.bits[w] & ~database.blocked.bits[w];
        if (open & database.filled.bits[w]) return true;
        for (uint64_t word = open & database.spilled.bits[w]; word; word &= word - 1) {
            const Route &route = routes[w * 64 + std::countr_zero(word)];
            if (!route.refilling && route.cursor != no_run) return true;
        }
    }
    return false;
}

bool is_alive(const Worker &worker, int64_t now) noexcept
{
    // A SQL runner cannot call while a statement runs; its process clears the number when it exits.
    if (worker.waiter != no_slot || worker.runner_pid != 0) return true;
    return !worker.closed && std::max(worker.last_seen + int64_t{settings::heartbeat_interval_ms} * 3000, worker.rests_until) > now;
}

int live_workers(const Database &database, int route, int64_t now) noexcept
{
    int count = 0;
    database.workers.each([&](int slot) {
        const Worker &worker = workers[slot];
        count += worker.routes.test(route) && !worker.draining && !worker.closed && is_alive(worker, now);
    });
    return count;
}

bool serves(const Worker &worker, const Route &route) noexcept
{
    const char *at = worker.serves;
    const auto next = [&] {
        const auto length = static_cast<uint8_t>(*at);
        const std::string_view name(at + 1, length);
        at += 1 + length;
        return name;
    };
    const auto in_list = [&](std::string_view wanted, bool empty_is_any) {
        int count = static_cast<unsigned char>(*at++);
        bool found = empty_is_any && count == 0;
        for (; count > 0; count--) found |= next() == wanted;
        return found;
    };
    const bool queue = in_list(route.queue, true);
    const bool handler = in_list(route.handler, false);
    const std::string_view tenant = next();
    return queue && handler && (tenant.empty() || tenant == route.tenant);
}

int worker_open(int32_t worker_id, std::string_view name, const WorkerServes &serves_what)
{
    Database &database = shared::database();
    const WorkerName wanted(serves_what.tenant, name);
    char packed[serves_bytes];
    uint16_t length = 0;
    if (!pack(serves_what, packed, length))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "the queues and handlers of a worker are too many: the limit is " + std::to_string(serves_bytes) + " bytes and 255 of each", "",
                        "Start several workers that share them."};

    Wakes wakes;
    const int slot = with_database(database, [&] {
        const int found = find_or_make(database, wanted);
        if (found == no_slot) return no_slot;
        Worker &worker = workers[found];
        worker.worker_id = worker_id;
        worker.draining = worker.closed = false;
        worker.serves_length = length;
        std::memcpy(worker.serves, packed, length);
        worker.routes.clear();
        database.routes.each([&](int route) { worker.routes.put(route, serves(worker, routes[route])); });
        touch(worker);
        // Its await, in another session, may have work by what it serves now.
        wake_worker(database, worker, wakes);
        return found;
    });
    wakes.flush();
    if (slot == no_slot)
        throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many workers: the limit is " + std::to_string(max_workers),
                        "Workers count while they are alive or hold leases.", "Give one worker more concurrency instead of starting more of them."};
    last_found = slot;
    return slot;
}

bool claim_worker_name(std::string_view name)
{
    Database &database = shared::database();
    const WorkerName wanted({}, name);
    return with_database(database, [&] {
        const int slot = find_or_make(database, wanted);
        if (slot == no_slot || is_alive(workers[slot], monotonic_us())) return slot == no_slot;
        // As the one before left it: closed and draining.
        workers[slot].closed = workers[slot].draining = false;
        workers[slot].runner_pid = MyProcPid;
        touch(workers[slot]);
        return true;
    });
}

int worker_find(std::string_view tenant, std::string_view name)
{
    require_preloaded();
    const WorkerName wanted(tenant, name);
    return find_worker([&](const Worker &worker) { return wanted.is(worker); });
}

int worker_find(int32_t worker_id)
{
    return find_worker([&](const Worker &worker) { return worker.worker_id == worker_id; });
}

void worker_is_runner(int slot)
{
    with_database(database(), [&] { workers[slot].runner_pid = MyProcPid; });
}

int32_t worker_id_of(int slot)
{
    return with_database_shared(database(), [&] { return workers[slot].worker_id; });
}

void worker_called(int slot)
{
    with_database(database(), [&] { touch(workers[slot]); });
}

void worker_drain(int slot)
{
    Database &database = shared::database();
    Wakes wakes;
    with_database(database, [&] {
        workers[slot].draining = true;
        touch(workers[slot]);
        wake_worker(database, workers[slot], wakes);
    });
    wakes.flush();
}

void worker_close(int slot)
{
    Database &database = shared::database();
    Wakes wakes;
    with_database(database, [&] {
        Worker &worker = workers[slot];
        worker.draining = worker.closed = true;
        touch(worker);
        wake_worker(database, worker, wakes);
    });
    wakes.flush();
}

bool worker_draining(int slot)
{
    return with_database_shared(database(), [&] { return workers[slot].draining; });
}

std::vector<WorkerStatus> worker_status()
{
    Database &database = shared::database();
    struct Copy {
        WorkerStatus status;
        char name[name_bytes + 1];
    };
    std::vector<Copy> copies;
    for (;;) {
        copies.clear();
        copies.reserve(static_cast<size_t>(with_database_shared(database, [&] { return database.workers.count(); })) + 8);
        const bool done = with_database_shared(database, [&] {
            if (static_cast<size_t>(database.workers.count()) > copies.capacity()) return false;
            const int64_t now = monotonic_us();
            database.workers.each([&](int slot) {
                const Worker &worker = workers[slot];
                Copy &copy = copies.emplace_back();
                copy.status = {slot,
                               worker.worker_id,
                               {},
                               is_alive(worker, now),
                               worker.waiter != no_slot,
                               worker.draining,
                               worker.closed,
                               worker.rests_until > now,
                               static_cast<int>(held_leases(worker.leases)),
                               worker.last_seen_wall,
                               worker.runner_pid};
                std::memcpy(copy.name, worker.name, sizeof(worker.name));
            });
            return true;
        });
        if (done) break;
    }
    std::vector<WorkerStatus> out;
    out.reserve(copies.size());
    for (Copy &copy : copies) {
        copy.status.name = copy.name;
        out.push_back(std::move(copy.status));
    }
    return out;
}

// await_work -------------------------------------------------------------------------

void waiter_begin(int slot)
{
    Database &database = shared::database();
    register_exit_cleanup();
    Wakes wakes;
    with_database(database, [&] {
        Worker &worker = workers[slot];
        const int32_t process = pg::my_process_number();
        if (worker.waiter != process) wakes.add(worker.waiter);
        worker.waiter = process;
        worker.woken = false;
        database.idle.set(slot);
        touch(worker);
    });
    waiting_for = slot;
    wakes.flush();
}

bool work_for(int slot)
{
    Database &database = shared::database();
    Wakes wakes;
    const bool work = with_database(database, [&] {
        Worker &worker = workers[slot];
        if (worker.waiter != pg::my_process_number()) return true;
        if (worker.draining || worker.closed || worker.cancel_news) return true;
        if (pg_atomic_read_u32(&database.phase) != static_cast<uint32_t>(Phase::open)) return false;
        requeue_due(database, monotonic_us(), wakes);
        tick_circuits(database, monotonic_us(), wakes);
        if (may_find_work(database, worker)) return true;
        // Somebody else took it: back to sleep, and to be woken again.
        worker.woken = false;
        worker.owed_at = 0;
        database.idle.set(slot);
        return false;
    });
    wakes.flush();
    return work;
}

void waiter_end(int slot)
{
    Database &database = shared::database();
    with_database(database, [&] {
        Worker &worker = workers[slot];
        if (worker.waiter != pg::my_process_number()) return;
        worker.waiter = no_slot;
        worker.last_seen = monotonic_us();
        worker.last_seen_wall = now_us();
        database.idle.reset(slot);
    });
    waiting_for = no_slot;
}

void leave_work_wait() noexcept
{
    if (waiting_for == no_slot || !mine) return;
    const int slot = std::exchange(waiting_for, no_slot);
    Wakes wakes;
    with_database(*mine, [&] {
        Worker &worker = workers[slot];
        if (worker.waiter != pg::my_process_number()) return;
        worker.waiter = no_slot;
        mine->idle.reset(slot);
        // Its wake is passed on now: nobody will come for the work.
        if (worker.owed_at != 0) {
            worker.owed_at = 1;
            mine->owed_due = 1;
            poke_steward(*mine, wakes);
        }
    });
    wakes.flush();
}

}  // namespace orch::shared
