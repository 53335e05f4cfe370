// Runs that a task starts and waits for.
//
// The child's end asks for a look at the parent's run, which finds the child over (settle_children); a look that a crash swallowed is asked for again when the
// rows are read. Locks: the parent's run, the parent's task, then the child's run, SKIP LOCKED.
#pragma once

#include "engine/inline_task.hpp"

namespace orch::engine {

/// How many runs may stand above each other, each started by a task of the one above.
inline constexpr int most_generations = 100;

/// A start that fails for a reason that may pass.
struct start_refused {
    std::string_view error_class;
    std::string code;
    std::string message;
};

/// `input` is the task's, taken where the definition has none. The task's row is locked.
InlineResult start_child(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, const core::Json &definition,
                         const core::Json &input);

/// The child of a task that waits for it is told to end, unless it is to be abandoned. False where somebody holds its row: look again.
bool close_child(Call &call, const TaskRef &task);

/// Tasks of a run that wait for children that are over end as those did. True where one did. The caller has locked the run's row.
bool settle_children(Call &call, const RunId &run);

/// The same of one task, where the caller need not have locked the run's row. False where the task has not begun.
bool settle_child(Call &call, const TaskRef &task);

/// A run has ended: the task that started it, if any, gets a look.
void tell_parent(const std::optional<Datum> &parent_run, const std::optional<Datum> &parent_task);

/// The child that a task started last.
std::optional<RunId> child_of(const TaskRef &task);

}  // namespace orch::engine
