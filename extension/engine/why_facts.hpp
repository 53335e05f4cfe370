// What orch.why tells from: the run, its tasks, and whatever else about them an answer needs, read once.
#pragma once

#include "engine/run_look.hpp"
#include "engine/why.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

struct TaskError {
    EventKind kind;
    std::string error_class, code, message;
};

struct WhyFacts {
    RunLook run;
    std::vector<TaskLook> tasks;
    TimestampTz now;
    std::map<int32, TaskError> errors;            // by task: the newest, of those that were asked for
    std::map<int32, int64> dead_letters;          // by task: the open one
    std::map<int32, std::string> workers;         // by number
    std::map<int32, shared::RouteStatus> routes;  // by number: those that memory knows

    const core::PlannedTask &plan_of(int32 task) const { return run.version->task(task); }
};

WhyFacts gather_facts(Call &call, const RunId &run, const std::optional<std::string> &task, std::vector<int32> &asked);

/// Why this task is in its state.
Reason why_task(const WhyFacts &facts, int32 task_no);

/// `"a" (running), "b" (ready) and 7 more`.
std::string named(const WhyFacts &facts, const std::vector<int32> &tasks);

/// A moment as the session writes them, and how far it is from now: `2026-11-21 03:00:00+00, in 2 h`.
std::string moment(const WhyFacts &facts, TimestampTz at);
std::string span(int64 us);

std::string sql_quoted(std::string_view text);

}  // namespace orch::engine
