// Leases. A lease is linked when it is asked for, as `pending`, so that a cancel that commits in between can mark it; it counts from its commit on.
#include "shared/leases.hpp"

#include "shared/clock.hpp"
#include "shared/lease_lists.hpp"
#include "shared/pending.hpp"
#include "shared/workers.hpp"

namespace orch::shared {

namespace {

constexpr int64_t quiet_us = 1'000'000;

LeaseList &list_of(Database &database, const Lease &lease) noexcept { return lease.worker == no_slot ? database.orphans : workers[lease.worker].leases; }

int64_t effective_deadline(const Lease &lease) noexcept { return lease.state == LeasePhase::held ? std::max(lease.deadline, lease.quiet_until) : INT64_MAX; }

Index link(Database &database, const TaskRef &task, int16_t attempt, int64_t token, int worker_slot, int64_t lease_time, LeasePhase state) noexcept
{
    const Index index = with_pool([] { return root->leases.pop(leases); });
    if (index == nil) return nil;
    Lease &lease = leases[index];
    lease = {task, worker_slot, token, lease_time, INT64_MAX, 0, nil, nil, nil, state, number_of(database), false, attempt, no_slot, 0};
    LeaseList &list = list_of(database, lease);
    lease.next = list.head;
    if (list.head != nil) leases[list.head].prev = index;
    list.head = index;
    list.count++;
    database.lease_index.insert(leases, index, hash_of(task));
    if (state == LeasePhase::held) database.lease_count++;
    return index;
}

void unlink(Database &database, Index index, Wakes &wakes) noexcept
{
    Lease &lease = leases[index];
    if (lease.probe != 0) leave_circuit(database, lease.circuit, lease.probe, wakes);
    LeaseList &list = list_of(database, lease);
    if (lease.prev == nil) list.head = lease.next;
    else leases[lease.prev].next = lease.next;
    if (lease.next != nil) leases[lease.next].prev = lease.prev;
    list.count--;
    if (list.count == 0) list.earliest = INT64_MAX;
    database.lease_index.remove(leases, index, hash_of(lease.task));
    if (lease.state == LeasePhase::held) database.lease_count--;
    lease.state = LeasePhase::free;
    with_pool([&] { root->leases.push(leases, index); });
}

void start_clock(Database &database, Lease &lease, Wakes &wakes) noexcept
{
    lease.deadline = monotonic_us() + lease.lease_time;
    LeaseList &list = list_of(database, lease);
    list.earliest = std::min(list.earliest, lease.deadline);
    note_deadline(database, lease.deadline, wakes);
}

Index find(const Database &database, const TaskRef &task) noexcept
{
    return database.lease_index.find(leases, hash_of(task), [&](const Lease &lease) { return lease.task == task && lease.state == LeasePhase::held; });
}

void recompute(LeaseList &list) noexcept
{
    list.earliest = INT64_MAX;
    for (Index i = list.head; i != nil; i = leases[i].next) list.earliest = std::min(list.earliest, effective_deadline(leases[i]));
}

// There is one at most for each circuit, and nearly always none.
PendingOp *probe_of(const TaskRef &task) noexcept
{
    if (!probes_pending()) return nullptr;
    for (PendingOp &op : pending_ops())
        if (op.op == Op::probe && op.task == task) return &op;
    return nullptr;
}

template <class Visit>
void each_list(Database &database, Visit visit) noexcept
{
    visit(database.orphans);
    database.workers.each([&](int slot) { visit(workers[slot].leases); });
}

}  // namespace

int64_t earliest_lease(Database &database, int64_t now) noexcept
{
    int64_t earliest = INT64_MAX;
    each_list(database, [&](LeaseList &list) {
        if (list.count > 0 && list.earliest <= now) recompute(list);
        earliest = std::min(earliest, list.earliest);
    });
    return earliest;
}

uint32_t held_leases(const LeaseList &list) noexcept
{
    uint32_t count = 0;
    for (Index i = list.head; i != nil; i = leases[i].next) count += leases[i].state == LeasePhase::held;
    return count;
}

// Effects -----------------------------------------------------------------------------

void hold_lease(Database &database, Index index, Wakes &wakes) noexcept
{
    Lease &lease = leases[index];
    lease.state = LeasePhase::held;
    database.lease_count++;
    start_clock(database, lease, wakes);
}

void drop_lease(Database &database, Index index, Wakes &wakes) noexcept { unlink(database, index, wakes); }

void end_lease(Database &database, const TaskRef &task, int64_t token, Wakes &wakes) noexcept
{
    const Index index = database.lease_index.find(leases, hash_of(task), [&](const Lease &lease) { return lease.task == task && lease.token == token; });
    // A pending one belongs to its transaction; nobody else knows its token.
    if (index != nil && leases[index].state == LeasePhase::held) unlink(database, index, wakes);
}

void stop_leases(Database &database, const TaskRef &task, Wakes &wakes) noexcept
{
    const auto mark = [&](Lease &lease) {
        if (lease.cancel) return;
        lease.cancel = true;
        if (lease.worker == no_slot) return;
        Worker &worker = workers[lease.worker];
        if (worker.runner_pid != 0) {
            // The signal is all it needs: it sends no heartbeats, so news would stay for ever and keep it from sleeping.
            kill(worker.runner_pid, SIGINT);
            return;
        }
        worker.cancel_news = true;
        wake_worker(database, worker, wakes);
    };
    if (task.task_no >= 0) {
        database.lease_index.each(leases, hash_of(task), [&](Index i) {
            if (leases[i].task == task) mark(leases[i]);
        });
        return;
    }
    each_list(database, [&](LeaseList &list) {
        for (Index i = list.head; i != nil; i = leases[i].next)
            if (leases[i].task.run == task.run) mark(leases[i]);
    });
}

// Calls -------------------------------------------------------------------------------

bool on_commit_lease(const TaskRef &task, int16_t attempt, int64_t token, int worker_slot, int64_t lease_time_us)
{
    Database &slot = database();
    make_room(1);
    const Index index = with_database(slot, [&] { return link(slot, task, attempt, token, worker_slot, lease_time_us, LeasePhase::pending); });
    if (index == nil) return false;
    if (PendingOp *probe = probe_of(task)) {
        // From here on the lease lets the next one through, however it ends.
        leases[index].circuit = probe->a;
        leases[index].probe = static_cast<uint32_t>(probe->b);
        probe->op = Op::nothing;
    }
    add(Op::lease).entry = index;
    return true;
}

void on_commit_unlease(const TaskRef &task, int64_t token)
{
    database();
    PendingOp &op = add(Op::unlease);
    op.task = task;
    op.x = token;
}

bool grace_lease(const TaskRef &task, int16_t attempt, int64_t token, int worker_slot, int64_t lease_time_us)
{
    Database &slot = database();
    Wakes wakes;
    const bool linked = with_database(slot, [&] {
        const Index index = link(slot, task, attempt, token, worker_slot, lease_time_us, LeasePhase::held);
        if (index == nil) return false;
        start_clock(slot, leases[index], wakes);
        return true;
    });
    wakes.flush();
    return linked;
}

void heartbeat(int worker_slot, std::vector<HeldLease> &out)
{
    Database &slot = database();
    Worker &worker = workers[worker_slot];
    for (;;) {
        // Memory first: nothing may be allocated under the lock.
        out.clear();
        out.reserve(with_database_shared(slot, [&] { return worker.leases.count; }) + 16);
        const bool done = with_database(slot, [&] {
            if (worker.leases.count > out.capacity()) return false;
            const int64_t now = monotonic_us();
            worker.last_seen = now;
            worker.last_seen_wall = now_us();
            worker.cancel_news = false;
            worker.leases.earliest = INT64_MAX;
            for (Index i = worker.leases.head; i != nil; i = leases[i].next) {
                Lease &lease = leases[i];
                if (lease.state != LeasePhase::held) continue;
                if (!lease.cancel) {
                    lease.deadline = now + lease.lease_time;
                    lease.quiet_until = 0;
                }
                worker.leases.earliest = std::min(worker.leases.earliest, effective_deadline(lease));
                out.push_back({lease.task, lease.attempt, lease.token, lease.cancel});
            }
            return true;
        });
        if (done) return;
    }
}

bool lease_of(const TaskRef &task, LeaseState &out)
{
    Database &slot = database();
    return with_database_shared(slot, [&] {
        const Index index = find(slot, task);
        if (index == nil) return false;
        const Lease &lease = leases[index];
        out = {lease.token, lease.deadline, lease.worker, lease.cancel};
        return true;
    });
}

void on_commit_stop_leases(const RunId &run, int32_t task_no)
{
    database();
    add(Op::stop_leases).task = {run, task_no};
}

int take_expired(int max, ExpiredLease *out)
{
    Database &slot = database();
    return with_database(slot, [&] {
        const int64_t now = monotonic_us();
        int taken = 0;
        each_list(slot, [&](LeaseList &list) {
            if (taken >= max || list.count == 0 || list.earliest > now) return;
            for (Index i = list.head; i != nil && taken < max; i = leases[i].next) {
                Lease &lease = leases[i];
                if (effective_deadline(lease) > now) continue;
                lease.quiet_until = now + quiet_us;
                out[taken++] = {lease.task, lease.token};
            }
            recompute(list);
        });
        return taken;
    });
}

}  // namespace orch::shared
