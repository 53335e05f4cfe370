// The session of a SQL runner: a task's statement under its settings and its time limit, the notices it gives, and a clean state afterwards.
#pragma once

#include "core/json.hpp"
#include "engine/log.hpp"

namespace orch::background {

/// What a lease says of a SQL task.
struct RunnerSql {
    std::string text;
    core::Json params;
    core::Json settings;
    double timeout_seconds = 0;
};
RunnerSql sql_of(const std::string &spec);

/// Once, at the start of the process: notices are formed and caught from now on.
void begin_sql_session();

/// Runs it as the session's role in the open transaction; returns the output {row_count, rows} as JSON. Throws what goes wrong.
std::string run_sql(const RunnerSql &sql);

/// What the last run_sql cost, as the JSON that its attempt's last event keeps, {"sql": {...}}; empty where it did not come to run.
std::string cost_of_sql();

/// True when the last run_sql ended by its time limit.
bool timed_out();

/// The notices since the last call, oldest first.
std::vector<engine::LogLine> take_notices();

/// Prepared statements, temporary tables, settings, advisory locks, LISTENs: gone, in a transaction of its own.
void forget_session();

}  // namespace orch::background
