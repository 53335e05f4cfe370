// What happens next in a run: the one pure function behind every decision. The engine feeds it states and carries out what it decides; replay and simulation use the same.
//
// Use: construct from the plan and the states of all tasks; loop `next()` until it returns nothing, answering each decision with `set(task, state)` (the state that
// the task now has: `ready`, `waiting`, a final one if it ran at once in the engine or its `when` was false ...); then read `end()`. Linear in tasks and edges over the whole loop.
#pragma once

#include "core/plan.hpp"
#include "core/states.hpp"

#include <optional>
#include <span>
#include <vector>

namespace orch::core {

enum class Verdict : uint8_t { start, skip, upstream_failed, cancel };

struct Decision {
    int32_t task;
    Verdict verdict;
};

/// Why a run must end early; a failure under fail_fast is found by Advance itself.
enum class Ending : uint8_t { none, cancelled, timed_out };

struct RunEnd {
    bool stop_running;               // running attempts are to be told to stop (fail_fast, cancel, timeout)
    char outcome;                    // 0 while main tasks are open; else the final state the run will have: S, F, T or C
    bool over;                       // outcome is set and every finally task is final as well: the run is final now
    std::vector<int32_t> unhandled;  // the failed or timed-out tasks that no child handled, ascending
};

class Advance {
public:
    /// states[i] is the letter of task i (task_state). `ending` as recorded on the run's row; `skip_finally` for a forced cancel.
    /// `outcome`: the run's recorded outcome letter if main tasks were over before, else 0.
    Advance(const Plan &plan, std::span<const char> states, Ending ending, bool skip_finally, char outcome);

    /// The next task that can be decided, each task at most once until `set` answers it; nothing when no more can be decided now.
    std::optional<Decision> next();

    /// The state that a task has now. Final states release its children.
    void set(int32_t task, char state);

    RunEnd end() const;

private:
    enum class Asked : uint8_t { nothing, by_rule, to_cancel };

    /// Tasks whose rule is worth a look, in the order in which they came to be so.
    struct Queue {
        std::vector<int32_t> tasks;
        std::size_t head = 0;
    };

    bool is_main(int32_t task) const { return task < plan_.main_count; }
    bool ends_early() const { return ending_ != Ending::none || failing_fast_; }
    bool is_unhandled(int32_t task) const { return counts_as_failed(states_[task]) && possible_handlers_[task] == 0; }
    std::optional<Decision> decide_by_rule(Queue &queue, bool may_start);
    std::optional<Decision> cancel_next(int32_t &cursor, int32_t to);
    void note_running(int32_t task, int change);
    void finish(int32_t task, bool release_children);
    void judge(int32_t task);
    char base_outcome() const;

    const Plan &plan_;
    Ending ending_;
    bool skip_finally_;
    char recorded_outcome_;
    bool failing_fast_ = false;  // an unhandled failure under fail_fast: nothing more starts
    int32_t open_main_ = 0, open_finally_ = 0;
    int32_t running_main_ = 0, running_finally_ = 0;
    std::vector<char> states_;
    std::vector<Asked> asked_;
    std::vector<Counts> counts_;              // of each task's parents
    std::vector<int32_t> possible_handlers_;  // of each task: children whose rule accepts failure and that ran or still may
    Queue main_queue_, finally_queue_;
    int32_t main_cursor_ = 0, finally_cursor_ = 0;  // whatever stands before was asked to cancel, or could not be
};

}  // namespace orch::core
