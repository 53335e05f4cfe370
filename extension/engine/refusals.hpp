// Settles that were refused, as events of the tasks that they were about.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct RefusedSettle {
    TaskRef task;
    int16 attempt;
    std::string_view status;
    Datum actor;
};

/// Adds an event for each; of several for one task, the first. Returns the tasks whose row is locked at the moment.
std::vector<TaskRef> record_refusals(Call &call, std::vector<RefusedSettle> refused);

}  // namespace orch::engine
