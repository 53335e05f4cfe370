// The one way around the append-only history: a run taken away wholly, or its payloads. Both leave a row in _orch.audit.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// Takes away a run that is over, with all that hangs on it. Raises OR003, OR020.
/// Locks: waits for the run's row.
void delete_run(Call &call, const RunId &run, const std::string &reason);

/// Puts a tombstone in the place of every payload of a run that is over; its states and events stay. False where that was done before. Raises OR003, OR020.
/// Locks: waits for the run's row.
bool erase(Call &call, const RunId &run, const std::string &reason);

/// Raises OR020 for a run whose payloads were erased: it cannot be run again.
void refuse_erased(const RunId &run);

/// Whether this backend is inside one of the two, at a statement that may change the history. Asked by the triggers that refuse everybody else.
bool history_is_open();

}  // namespace orch::engine
