// A worker's sign of life, and the progress of its tasks that comes with it.
//
// A heartbeat is memory only. Progress is a row by (run, task, attempt) in a leaf of its own: it goes with its day, so that neither a settle nor anybody
// else ever has to ask whether there is some.
#pragma once

#include "engine/lease.hpp"

namespace orch::engine {

struct Beat {
    std::string lease;
    std::string_view status;  // ok, cancel, lost, too_large
};

/// Extends what the worker holds. `details` is {LEASE: PROGRESS}, JSON null where only the status is asked for: progress of a lease that is held is stored,
/// at most once a second. Raises 22023 where details is no object.
std::vector<Beat> heartbeat(Call &call, const WorkerIdentity &worker, std::optional<Datum> details);

/// What attempts before these told last, for those that told something.
std::map<TaskRef, Datum> progress_before(std::vector<TaskRef> tasks);

/// Before a run is reopened: a task that begins anew, after a success or with another input, does not go on where it was.
void forget_progress(const RunId &run, int32 first_finally_task, std::optional<int32> with_other_input);

}  // namespace orch::engine
