// What runs and tasks brought: outputs, and the inputs that tasks get.
#pragma once

#include "engine/run_look.hpp"

namespace orch::engine {

/// The output of a run that succeeded, nothing for any other: what its definition's `output` gave, else the outputs of the tasks that nobody depends on, by id.
std::optional<Datum> output_of(const RunLook &run);

/// Outputs by task number, where a task succeeded with one.
std::vector<std::optional<Datum>> task_outputs(const RunLook &run);

/// The input of a task as its attempts get it; nothing where it has none or it cannot be resolved yet.
std::optional<Datum> input_of_task(const RunLook &run, int32 task_no);

}  // namespace orch::engine
