// Leases in memory: deadlines by the monotonic clock, and the wish to cancel. Who holds what by which token stands in the rows.
#pragma once

#include "shared/types.hpp"

#include <vector>

namespace orch::shared {

/// False when all 131,072 places are taken: lease fewer. Counts from the commit on; the deadline is lease_time_us from the commit.
bool on_commit_lease(const TaskRef &task, int16_t attempt, int64_t token, int worker_slot, int64_t lease_time_us);
void on_commit_unlease(const TaskRef &task, int64_t token);

/// For rebuild: a lease found in the rows gets one full lease time from now. worker_slot may be no_slot. False when there is no room.
bool grace_lease(const TaskRef &task, int16_t attempt, int64_t token, int worker_slot, int64_t lease_time_us);

struct HeldLease {
    TaskRef task;
    int16_t attempt;
    int64_t token;
    bool cancel;  // not extended: its time runs out unless the worker settles or releases it
};
/// Extends every lease of the worker that is not to be cancelled by its own lease time, and tells them all. Counts as a call of the worker.
void heartbeat(int worker_slot, std::vector<HeldLease> &out);

struct LeaseState {
    int64_t token;
    int64_t deadline_us;  // monotonic
    int worker_slot;
    bool cancel;
};
/// The newest committed lease of a task; false where memory has none.
bool lease_of(const TaskRef &task, LeaseState &out);

/// Marks all leases of a run (task_no -1) or of one task as to be cancelled, and wakes their workers' await_work so that they ask at once.
void on_commit_stop_leases(const RunId &run, int32_t task_no = -1);

struct ExpiredLease {
    TaskRef task;
    int64_t token;
};
/// Leases whose deadline has passed. They stay until on_commit_unlease, and are not offered again for a second.
int take_expired(int max, ExpiredLease *out);

}  // namespace orch::shared
