// The start of a task that needs the engine first: its condition, and the executors that need no worker.
#pragma once

#include "engine/document.hpp"
#include "engine/transitions.hpp"

namespace orch::engine {

struct InlineResult {
    struct Told {
        EventKind kind;
        std::string json = {};  // payload, empty for none
    };
    char state = 0;        // ready (a worker's turn), waiting, scheduled (its start is tried again), final, or 0: its row is held by somebody, look again
    bool started = false;  // it ran here: that was an attempt
    std::vector<Told> told = {};             // what it leaves in the history behind its start; the last one has its output or error
    std::optional<TimestampTz> due_at = {};  // of a waiting one: when its time is over; of a scheduled one: when it is tried again
};

/// Evaluates `when`, then starts the task where the engine runs it. Never throws for what a definition or an input made impossible: the task fails.
/// The caller has locked the run's row. The task's row is in `from`; where the start does something that cannot be done twice it is locked first.
InlineResult run_inline(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, char from, const RunFacts &facts,
                        const FreshResults &fresh);

/// The same without the condition: for another attempt, the number of which counts from 1.
InlineResult start_inline(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, char from, int attempt);

/// What it does to the task's row; `before` is an event that goes before all of its own.
Transition transition_of(Call &call, const TaskRef &task, char from, const InlineResult &result, std::optional<EventKind> before = {});

/// Its events, timers and dead letter, once the transition was applied.
void record_inline(Call &call, const Version &version, const Transition &applied, const InlineResult &result);

}  // namespace orch::engine
