// Running the rest of a run again: retry(run), and redrive of a dead letter.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct Redriven {
    RunId run;
    std::string task_id;
};

/// Reopens a run that failed, timed out or was cancelled; returns its new state. Raises OR003, OR020.
/// Locks: waits for the run's row; nothing else can hold a task of a run that is over.
std::string_view retry(Call &call, const RunId &run);

/// Reopens the run of an open dead letter; `input`, where given, replaces that task's. Returns the dead letters that this resolved.
std::vector<Redriven> redrive(Call &call, int64 dead_letter, std::optional<Datum> input);

/// Puts a dead letter aside.
void discard(Call &call, int64 dead_letter);

}  // namespace orch::engine
