// Ending a run by a person's word.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// Asks for the end of a run and returns its state from now on. The end itself follows the commit. Raises OR003, OR020.
/// Locks: waits for the run's row.
std::string_view cancel(Call &call, const RunId &run, bool force);

/// The same by the engine, without force, of a run that may be over. False where somebody holds its row: nothing was done.
bool cancel_by_engine(Call &call, const RunId &run);

}  // namespace orch::engine
