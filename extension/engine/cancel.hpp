// Ending a run by a person's word.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// Asks for the end of a run and returns its state from now on. The end itself follows the commit. Raises OR003, OR020.
/// Locks: waits for the run's row.
std::string_view cancel(Call &call, const RunId &run, bool force);

}  // namespace orch::engine
