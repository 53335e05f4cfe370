// The state of runs rebuilt from their events (core/replay.hpp), to be shown and to be compared with what the tables say.
#pragma once

#include "core/replay.hpp"
#include "engine/run_look.hpp"

#include <functional>

namespace orch::engine {

struct RebuiltRow {
    std::optional<std::string> task_id;  // nothing for the run
    std::string_view state;
    std::optional<int32> attempt;
    std::optional<Datum> output, error;
};

/// The run first, then its tasks by number.
std::vector<RebuiltRow> rebuild(const RunLook &run);

struct Difference {
    RunId run;
    std::optional<std::string> task_id;
    std::string_view what;
    std::string stored, replayed;  // empty = nothing
};

/// Compares all runs of the caller's tenant that were triggered since then, in the snapshot at hand; memory for one run at a time.
void compare_with_events(Call &call, std::optional<TimestampTz> since, const std::function<void(const Difference &)> &report);

}  // namespace orch::engine
