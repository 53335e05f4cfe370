// What orch.why tells from: the run, its tasks, and whatever else about them an answer needs, read once.
#pragma once

#include "engine/run_look.hpp"
#include "engine/task_of.hpp"
#include "engine/why.hpp"
#include "shared/routes.hpp"
#include "shared/workers.hpp"

namespace orch::engine {

struct TaskError {
    EventKind kind;
    std::string error_class, code, message;
};

/// A worker that memory knows, and what it serves by its row.
struct WorkerLook {
    shared::WorkerStatus status;
    std::string name;
    std::vector<std::string> queues, handlers;

    bool serves_queue(std::string_view queue) const { return std::find(queues.begin(), queues.end(), queue) != queues.end(); }
    bool serves_handler(std::string_view handler) const { return std::find(handlers.begin(), handlers.end(), handler) != handlers.end(); }
};

struct WhyFacts {
    RunLook run;
    std::vector<TaskLook> tasks;
    TimestampTz now;
    std::map<int32, TaskError> errors;            // by task: the newest, of those that were asked for
    std::map<int32, int64> dead_letters;          // by task: the open one
    std::map<int32, std::string> workers;         // by number
    std::map<int32, shared::RouteStatus> routes;  // by number: those that memory knows
    std::map<int32, WorkerLook> there;            // by number: those that memory knows, where a task is ready or running
    bool steward_runs;
    int64 steward_late_us;

    const core::PlannedTask &plan_of(int32 task) const { return task_of(*run.version, run.id, task, tasks[task].item); }
};

WhyFacts gather_facts(Call &call, const RunId &run, const std::optional<std::string> &task, std::vector<int32> &asked);

/// Why this task is in its state.
Reason why_task(const WhyFacts &facts, int32 task_no);

/// What keeps the engine from doing what is its own to do now: a sentence, empty where nothing does.
std::string engine_trouble(const WhyFacts &facts);

/// `"a" (running), "b" (ready) and 7 more`.
std::string named(const WhyFacts &facts, const std::vector<int32> &tasks);

/// A moment as the session writes them, and how far it is from now: `2026-11-21 03:00:00+00, in 2 h`.
std::string moment(const WhyFacts &facts, TimestampTz at);
std::string span(int64 us);

std::string sql_quoted(std::string_view text);

}  // namespace orch::engine
