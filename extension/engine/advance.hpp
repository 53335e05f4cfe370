// The look at a run: what its rows lead to, decided by core::Advance and carried out here. Always right, whatever the fast paths missed.
//
// Locks: the run's row, SKIP LOCKED, so that one look at a run happens at a time and nobody waits for it; then its tasks' rows, SKIP LOCKED, each checked for
// the state that the decision was made on. What could not be had brings the run back here a moment later.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// The whole run.
void advance_run(Call &call, const RunId &run);

/// One task whose parents have ended, perhaps all: makes it ready where that is all there is to it, else looks at the whole run.
void advance_task(Call &call, const TaskRef &task);

/// A run that waited for its time or for a place starts now, or goes on waiting for a place.
void start_run(Call &call, const RunId &run);

/// Queued runs of a workflow start, the one with the highest priority and age first, as far as max_active_runs has places.
void admit(Call &call, int32 workflow_id);

}  // namespace orch::engine
