// Rebuilds a run and its tasks from nothing but their events, by the table and the decisions that the engine itself goes by.
#pragma once

#include "core/plan.hpp"
#include "core/state_changes.hpp"

#include <span>
#include <string>
#include <vector>

namespace orch::core {

/// An event as far as it changes a state; task_no -1 is the run itself. The kind is a bare number, since a later version may have written one that we do not know.
struct RecordedEvent {
    int32_t task_no;
    int32_t no;
    int16_t kind;
    char state = 0;  // of one that brings its state: which
};

/// What the rows of a run and of a task say, as far as it follows from events.
struct Replayed {
    char state = 0;
    int32_t events = 0;     // how many
    int32_t output_no = 0;  // the event that brought the output or the last error, 0 = none
    int16_t attempt = 0;
    int16_t attempts_before = 0;
};

/// An event that cannot have happened where it stands.
struct Contradiction {
    int32_t task_no;
    std::string text;
};

struct ReplayedRun {
    Replayed run;
    std::vector<Replayed> tasks;  // by number: those of the plan, and those that code added; state 0 = there is none of that number
    std::vector<Contradiction> contradictions;
};

/// Events in the order of their positions in the feed: that of each row, and a reopening stands between what came before and after it.
ReplayedRun replay(const Plan &plan, std::span<const RecordedEvent> events);

/// True where a task may be in either state by the same events: it becomes ready without one, at the engine's next look at the run.
constexpr bool differ_by_a_look(char left, char right)
{
    return (left == task_state::pending && right == task_state::ready) || (left == task_state::ready && right == task_state::pending);
}

}  // namespace orch::core
