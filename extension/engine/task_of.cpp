#include "engine/task_of.hpp"

namespace orch::engine {

const core::PlannedTask &task_of(const Version &version, const RunId &, int32 task_no) { return version.task(task_no); }

}  // namespace orch::engine
