// Why a run is where it is: what it and its tasks wait for, or why they ended as they did, in whole sentences.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct Reason {
    std::optional<std::string> task_id;  // nothing for the run itself
    std::string state;
    std::string reason;  // a few words
    std::string detail;  // sentences of fact
    std::string hint;    // sentences that tell what to type, empty where nothing is to be done
};

/// The run, and each task that is not over or did not succeed; or the one task that is asked for. Raises OR003, and 42704 for an unknown task.
std::vector<Reason> why(Call &call, const RunId &run, const std::optional<std::string> &task);

}  // namespace orch::engine
