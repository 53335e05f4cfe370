// A person's word that a task waits for.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct Decision {
    bool approved;
    std::optional<std::string> comment;
    std::optional<Datum> form;  // jsonb
};

/// Decides a task of executor approval. The same decision again does nothing. Raises OR003, 42704, OR020, and 42501 for whoever is none of those that the task names.
/// Locks: waits for the run's row, and for that of the task.
void approve(Call &call, const RunId &run, const std::string &task_id, const Decision &decision, bool deferred);

}  // namespace orch::engine
