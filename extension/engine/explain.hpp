// Where a run's time went, and what its tasks cost: the answer of orch.explain.
#pragma once

#include "core/timeline.hpp"
#include "engine/run_look.hpp"

namespace orch::engine {

struct Explained {
    std::optional<int32> task;  // nothing for the run itself
    std::string_view state;
    core::TaskTime time;  // of the run: what the critical path adds up to, and from its trigger to its end
    core::Json detail;
};

struct Explanation {
    RunLook run;
    std::vector<Explained> rows;  // the run first, then its tasks as they began
};

/// Raises OR003.
Explanation explain(Call &call, const RunId &run);

}  // namespace orch::engine
