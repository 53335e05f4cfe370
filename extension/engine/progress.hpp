// What follows from a success: children become ready, joins are counted, the run ends. The fast path of the graph; whatever it cannot tell from
// what it holds is left to advance (advance.hpp), which reads the rows.
//
// Locks: a settle never waits for a row that is not its own. Children and runs are taken SKIP LOCKED; what is locked is left to an advance.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct Succeeded {
    RunId run;
    const Version *version;
    int32 task_no;
};

/// `succeeded` reached S in this transaction, ordered by run. `deferred`: the transaction is the caller's own and may stay open for long, so nothing but the tasks' own rows
/// is touched; the rest is queued for the moment of its commit.
void follow_success(Call &call, std::span<const Succeeded> succeeded, bool deferred);

/// One task reached a final state other than success in this transaction: counted at its joins, and the run gets a look as a whole.
void follow_other_end(const RunId &run, const Version &version, int32 task_no, char state);

/// Ends counted at the joins below: `decided(child)` tells which of those this transaction decided itself, `over` whether it ended the run.
void count_ends(const RunId &run, const Version &version, std::span<const std::pair<int32, char>> ended, const std::function<bool(int32)> &decided, bool over);

/// The run is final from this transaction's commit on: waiters, counters, limits. One that never started took no place under max_active_runs.
void release_run(const RunId &run, const Version &version, bool started);

/// Ready tasks into their route at commit.
void queue_ready(const Version &version, const TaskRef &task, TimestampTz ready_at, int priority);

/// A run that found no place under max_active_runs waits for one, from this transaction's commit on.
void queue_for_admission(const Version &version, const RunId &run, TimestampTz since, int priority);
int admission_slot(const Version &version);

/// A run id of nothing but zeros stands for "look at the queued runs of workflow task_no" among the advances.
inline constexpr RunId admission{};

}  // namespace orch::engine
