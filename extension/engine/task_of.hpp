// The definition of a task of a run, whether its version planned it or the run made it on its way.
#pragma once

#include "engine/leaf.hpp"
#include "engine/version.hpp"

namespace orch::engine {

/// Valid until the next call for another run's task.
const core::PlannedTask &task_of(const Version &version, const RunId &run, int32 task_no);

}  // namespace orch::engine
