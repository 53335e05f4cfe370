// Where the time of a run went: what each task waited for and how long it ran, from its history; and which tasks the run's end waited for.
#pragma once

#include "core/plan.hpp"
#include "core/states.hpp"

#include <span>
#include <vector>

namespace orch::core {

/// An event that moves time from one account to another. In the order of `no` within a task; those of the run itself have task -1.
struct Moment {
    int32_t task;
    EventKind kind;
    int64_t at_us;
    int64_t due_us = 0;  // task_retry_scheduled: when the next attempt may begin
};

struct TaskTime {
    bool began = false;  // it started, was skipped or the like: the rest says something
    bool over = false;
    int32_t attempts = 0;
    int64_t ready_us = 0;    // when nothing stood before it any more; else when it began
    int64_t ended_us = 0;    // the end where it is over, else now
    int64_t started_us = 0;  // the first attempt's start, 0 where there is none
    int64_t queued_us = 0;   // ready, and nobody had taken it
    int64_t running_us = 0;  // at a worker, or in the engine
    int64_t waiting_us = 0;  // for a retry's delay, or asleep
    int32_t after = -1;      // the task whose end it waited for last
    bool on_critical_path = false;
};

/// By task number. Times of what is not over go up to `now_us`. The critical path leads from what ended last back
/// through the parent that ended last, and so on; a finally task follows the main task that ended last.
std::vector<TaskTime> timeline(const Plan &plan, std::span<const Moment> moments, std::span<const char> states, int64_t now_us);

}  // namespace orch::core
