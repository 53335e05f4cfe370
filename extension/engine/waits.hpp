// Rows that wait for a word from outside or for another run, and the end of their waiting.
//
// Locks: whoever brings the word (a signal, an approval) has the run's row and waits for the task's; the engine takes the task's row SKIP LOCKED and comes back.
#pragma once

#include "engine/attempts.hpp"

namespace orch::engine {

/// Locks the row of a task that is in that state. False where somebody else holds it, or where it is in another one.
bool hold_row(const TaskRef &task, char state);

/// The row of a task that waits, locked; nothing where it does not wait any more. `wait` says whether to wait for whoever holds it.
std::optional<Attempt> lock_waiting(const TaskRef &task, bool wait);

/// What a task waits for, as the event says that made it wait.
struct WaitsFor {
    EventKind kind;
    Datum what;  // jsonb
};
std::optional<WaitsFor> waits_for(const TaskRef &task);

/// A waiting task that succeeds; its row is locked by the caller.
struct EndedWait {
    TaskRef task;
    const Version *version;
    Datum output;
    std::optional<EventKind> by = {};      // what ended it, told before its success
    std::optional<Datum> by_payload = {};  // jsonb
    std::optional<Datum> actor = {};       // the engine where nobody is named
    std::optional<Datum> by_actor = {};
};

/// The one place where tasks succeed that waited. `deferred` as follow_success has it. Failures of tasks that wait go by end_attempts.
void end_waits(Call &call, const std::vector<EndedWait> &ended, bool deferred);

/// What the tasks of a run wait for and has come without their hearing of it: children that are over, and signals. True where a row has changed.
/// The caller has locked the run's row.
bool look_at_waits(Call &call, const RunId &run);

/// A moment as the history has it.
std::string stamp_of(TimestampTz at);

}  // namespace orch::engine
