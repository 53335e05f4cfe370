// A run and its tasks as the tables show them now, without a lock: for everything that only tells.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

struct RunLook {
    RunId id;
    const Version *version;
    char state;
    char outcome;  // 0 = none yet
    int16 priority;
    TimestampTz created_at;
    std::optional<TimestampTz> run_at, started_at, finished_at, deadline_at;
};

/// Raises OR003 for a run that does not exist or belongs to another tenant.
RunLook look_at_run(Call &call, const RunId &run);
/// The same, nothing instead of an error.
std::optional<RunLook> find_run(Call &call, const RunId &run);

struct TaskLook {
    char state;
    int32 worker_id;  // 0 = none yet
    int16 attempt, attempts_before, priority;
    std::optional<TimestampTz> ready_at, started_at, finished_at, due_at;
    int32 route_id = 0;
    std::optional<Datum> item = {};  // what code made; of code's main: what it waits for
};
/// By task number; the plan's tasks, or those that code made as well.
std::vector<TaskLook> look_at_tasks(const RunLook &run, bool all = false);

}  // namespace orch::engine
