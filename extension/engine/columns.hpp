// The hot tables by the numbers of their columns (sql/tables/20_runs.sql), for rows that are written and changed below the executor.
#pragma once

#include "engine/leaf.hpp"
#include "pg/rows.hpp"

namespace orch::engine {

namespace run_column {
enum : int {
    run_id = 1,
    parent_run_id,
    created_at,
    started_at,
    run_at,
    deadline_at,
    timeout_us,
    version_id,
    parent_task_no,
    priority,
    state,
    outcome,
    no,
    finished_at,
    tenant,
    source,
    idempotency_key,
    tags,
    traceparent,
    asked,
    count = asked
};
}

namespace task_column {
enum : int {
    run_id = 1,
    task_no,
    version_id,
    route_id,
    priority,
    attempts_before,
    ready_at,
    token,
    started_at,
    worker_id,
    no,
    attempt,
    state,
    flags,
    output_no,
    finished_at,
    due_at,
    item,
    input,
    count = input
};
}

namespace event_column {
enum : int { run_id = 1, at, pos, task_no, no, kind, attempt, actor, payload, facts, count = facts };
}

inline pg::NewRows new_runs(int day, size_t expected) { return {"run_" + pg::day_name(day), run_column::count, expected}; }
inline pg::NewRows new_tasks(int day, size_t expected) { return {"task_" + pg::day_name(day), task_column::count, expected}; }
inline pg::NewRows new_events(int day, size_t expected) { return {"event_" + pg::day_name(day), event_column::count, expected}; }
inline pg::KeptRows kept_runs(int day) { return {"run_" + pg::day_name(day), run_column::count, false}; }
inline pg::KeptRows kept_tasks(int day) { return {"task_" + pg::day_name(day), task_column::count, true}; }

}  // namespace orch::engine
