// Workers in memory: who is there, which routes each serves, and who sleeps in await_work.
#pragma once

#include "shared/types.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orch::shared {

/// What a worker serves. No queues, or no tenant, means any; handlers are exact names, never any.
struct WorkerServes {
    std::span<const std::string_view> queues;
    std::span<const std::string_view> handlers;
    std::string_view tenant;
};

/// Opens or reopens a worker at once, whatever becomes of this transaction, and counts as a call. Raises 22023 when the lists exceed 2 KiB, 53400 when all 1,024 slots are
/// taken by workers that are alive or hold leases. The slot is valid until this transaction ends and while the worker holds leases.
int worker_open(int32_t worker_id, std::string_view name, const WorkerServes &serves);

/// Takes a name that no live worker without a tenant has; false where one has it. For runners, which number themselves; without a free slot the name is nobody's, and worker_open says so.
bool claim_worker_name(std::string_view name);

/// no_slot where it is not in memory. Names are a tenant's; SQL runners, which work for all, have the empty one.
int worker_find(std::string_view tenant, std::string_view name);
int worker_find(int32_t worker_id);

/// Its number in _orch.worker, 0 for one that only memory knows.
int32_t worker_id_of(int slot);

/// The worker is this process, a SQL runner: a lease of it that is to be cancelled interrupts its statement.
void worker_is_runner(int slot);

/// The worker called us: it is alive for another three heartbeats.
void worker_called(int slot);

/// Draining: gets no new work; await_work returns at once. Closed: the slot is free as soon as its leases are.
void worker_drain(int slot);
void worker_close(int slot);
bool worker_draining(int slot);

struct WorkerStatus {
    int slot;
    int32_t worker_id;
    std::string name;
    bool alive, waiting, draining, closed;
    bool resting;          // without a connection, waiting for hints
    int running;           // leases
    int64_t last_seen_us;  // wall clock
    int runner_pid;        // of a SQL runner, else 0
};
std::vector<WorkerStatus> worker_status();

// await_work -------------------------------------------------------------------
// waiter_begin(slot); while (!work_for(slot)) WaitLatch(...); waiter_end(slot);   waiter_begin comes first: work that is committed between the look and the sleep sets the latch.

/// This process sleeps for the worker. One that slept for it before is woken and finds that work_for is true (its place was taken over).
void waiter_begin(int slot);
/// Whether a lease may find something: an entry, or spilled rows, on a route it serves. Also true when the worker drains, a lease of it is to be cancelled (heartbeat tells which),
/// or another process waits in its place. False while the database is not open: its waiters are woken when it opens.
bool work_for(int slot);
/// Leaves; an abort of the transaction does so too. A wake that this process was given and did not use goes to another waiter after a second unless the worker calls by then.
void waiter_end(int slot);

// await_workers ------------------------------------------------------------------
// One process that sleeps for many workers, for a bridge whose clients wait without a session each. Its process is their waiter, whether it sleeps just now or not.

/// This process listens until it exits. Raises 53400 where too many do.
void listen_for_workers();
/// The numbers of the workers that this process listened for and that may find work by now, or are to be told something: it listens for them no more.
std::vector<int32_t> take_woken_workers();

/// The listener of that process id sleeps for the worker from now on. False where it need not: there may be work, or a lease of it is to be cancelled. Raises 55000 where that is no listener.
bool worker_waits_with(int slot, int pid);
/// Nobody listens for it any more; a wake that it was given goes to another one.
void worker_waits_no_more(int slot);

}  // namespace orch::shared
