// The start of a task that needs the engine first: its condition, and the executors that need no worker (noop, decision, sleep, until).
#pragma once

#include "engine/call.hpp"
#include "engine/document.hpp"

namespace orch::engine {

struct InlineResult {
    char state = 0;                          // ready (a worker's turn), waiting, or final
    bool started = false;                    // it ran here: that was its one attempt
    std::string json = {};                   // output, error, or what the timer waits for
    std::optional<TimestampTz> due_at = {};  // of a waiting one
};

/// Evaluates `when`, then runs the task where the engine runs it. Never throws for what a definition or an input made impossible: the task fails.
InlineResult run_inline(Call &call, const RunId &run, const Version &version, const core::PlannedTask &task, const RunFacts &facts, const FreshResults &fresh);

}  // namespace orch::engine
