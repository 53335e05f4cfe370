// The order of things in one call of next(): rules first, until they decide nothing more; then, where the run ends early, cancels; finally tasks last. So a
// task below the failure becomes upstream_failed, and only what the failure does not decide becomes cancelled.
//
// A failure is unhandled once every child whose rule accepts failure is skipped, upstream_failed or cancelled. Such a child cannot come back, so "unhandled" never
// turns into "handled": counting those children down finds the moment without looking at the graph again.

#include "core/advance.hpp"

#include <algorithm>
#include <utility>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

bool never_ran(char state) { return state == task_state::skipped || state == task_state::upstream_failed || state == task_state::cancelled; }

bool may_be_cancelled(char state)
{
    return state == task_state::pending || state == task_state::ready || state == task_state::scheduled || state == task_state::waiting;
}

void count(Counts &counts, char parent_state)
{
    if (parent_state == task_state::succeeded) counts.succeeded++;
    else if (parent_state == task_state::skipped) counts.skipped++;
    else if (parent_state == task_state::upstream_failed) counts.upstream_failed++;
    else counts.failed++;
}

}  // namespace

Advance::Advance(const Plan &plan, std::span<const char> states, Ending ending, bool skip_finally, char outcome)
    : plan_(plan), ending_(ending), skip_finally_(skip_finally), recorded_outcome_(outcome), states_(states.begin(), states.end()),
      asked_(plan.tasks.size(), Asked::nothing), counts_(plan.tasks.size()), possible_handlers_(plan.tasks.size(), 0), finally_cursor_(plan.main_count)
{
    states_.resize(plan.tasks.size(), task_state::pending);
    for (int32_t i = 0; i < static_cast<int32_t>(states_.size()); i++) {
        const PlannedTask &task = plan.tasks[i];
        const char state = states_[i];
        counts_[i].parents = static_cast<int32_t>(task.parents.size());
        if (accepts_failure(task.rule) && !never_ran(state))
            for (int32_t parent : task.parents) possible_handlers_[parent]++;
        if (is_final(state))
            for (int32_t child : task.children) count(counts_[child], state);
        else (is_main(i) ? open_main_ : open_finally_)++;
        if (state == task_state::running) note_running(i, +1);
        if (state == task_state::pending) (is_main(i) ? main_queue_ : finally_queue_).tasks.push_back(i);
    }
    for (int32_t i = 0; i < plan.main_count; i++) judge(i);
}

std::optional<Decision> Advance::next()
{
    if (open_main_ > 0) {
        if (ending_ == Ending::none)
            if (auto decision = decide_by_rule(main_queue_, !failing_fast_)) return decision;
        if (ends_early())
            if (auto decision = cancel_next(main_cursor_, plan_.main_count)) return decision;
    }
    if (skip_finally_) return cancel_next(finally_cursor_, static_cast<int32_t>(states_.size()));
    if (open_main_ == 0) return decide_by_rule(finally_queue_, true);
    return std::nullopt;
}

// A task that is told to wait leaves the queue; the end of a parent puts it back.
std::optional<Decision> Advance::decide_by_rule(Queue &queue, bool may_start)
{
    while (queue.head < queue.tasks.size()) {
        const int32_t task = queue.tasks[queue.head++];
        if (states_[task] != task_state::pending || asked_[task] != Asked::nothing) continue;
        const Outcome outcome = evaluate(plan_.tasks[task].rule, plan_.tasks[task].at_least, counts_[task]);
        if (outcome == Outcome::wait || (outcome == Outcome::run && !may_start)) continue;
        asked_[task] = Asked::by_rule;
        if (outcome == Outcome::run) return Decision{task, Verdict::start};
        return Decision{task, outcome == Outcome::skipped ? Verdict::skip : Verdict::upstream_failed};
    }
    return std::nullopt;
}

std::optional<Decision> Advance::cancel_next(int32_t &cursor, int32_t to)
{
    while (cursor < to) {
        const int32_t task = cursor++;
        if (!may_be_cancelled(states_[task]) || asked_[task] != Asked::nothing) continue;
        asked_[task] = Asked::to_cancel;
        return Decision{task, Verdict::cancel};
    }
    return std::nullopt;
}

void Advance::set(int32_t task, char state)
{
    const Asked asked = std::exchange(asked_[task], Asked::nothing);
    const char before = states_[task];
    if (is_final(before)) return;
    states_[task] = state;
    note_running(task, (state == task_state::running) - (before == task_state::running));
    if (is_final(state)) {
        // What the end of the run cancelled is no failure of its own: it starts no child's rule.
        finish(task, asked != Asked::to_cancel || state != task_state::cancelled);
        return;
    }
    // A start that was asked for before the run began to end, or a running task that waits for its retry now: the cancelling has to look at it again. Not so
    // where the cancel itself was answered like that, or it would be asked for for ever.
    int32_t &cursor = is_main(task) ? main_cursor_ : finally_cursor_;
    if (asked != Asked::to_cancel && may_be_cancelled(state)) cursor = std::min(cursor, task);
}

void Advance::note_running(int32_t task, int change) { (is_main(task) ? running_main_ : running_finally_) += change; }

void Advance::finish(int32_t task, bool release_children)
{
    const PlannedTask &planned = plan_.tasks[task];
    (is_main(task) ? open_main_ : open_finally_)--;
    if (release_children) {
        Queue &queue = is_main(task) ? main_queue_ : finally_queue_;
        for (int32_t child : planned.children) {
            count(counts_[child], states_[task]);
            if (states_[child] == task_state::pending) queue.tasks.push_back(child);
        }
    }
    if (never_ran(states_[task]) && accepts_failure(planned.rule)) {
        for (int32_t parent : planned.parents) {
            possible_handlers_[parent]--;
            judge(parent);
        }
    }
    judge(task);
}

void Advance::judge(int32_t task)
{
    if (plan_.fail_fast && is_main(task) && is_unhandled(task)) failing_fast_ = true;
}

char Advance::base_outcome() const
{
    if (recorded_outcome_ != 0) return recorded_outcome_;
    if (open_main_ > 0) return 0;
    if (ending_ == Ending::cancelled) return run_state::cancelled;
    if (ending_ == Ending::timed_out) return run_state::timed_out;
    for (int32_t i = 0; i < plan_.main_count; i++)
        if (is_unhandled(i)) return run_state::failed;
    return run_state::succeeded;
}

RunEnd Advance::end() const
{
    RunEnd end{};
    const auto count = static_cast<int32_t>(states_.size());
    end.outcome = base_outcome();
    if (end.outcome == run_state::succeeded) {
        for (int32_t i = plan_.main_count; i < count; i++) {
            if (skip_finally_ && states_[i] == task_state::cancelled) {
                end.outcome = ending_ == Ending::timed_out ? run_state::timed_out : run_state::cancelled;
                break;
            }
            if (is_unhandled(i)) end.outcome = run_state::failed;
        }
    }
    end.stop_running = (ends_early() && running_main_ > 0) || (skip_finally_ && running_finally_ > 0);
    end.over = end.outcome != 0 && open_main_ == 0 && open_finally_ == 0;

    for (int32_t i = 0; i < count; i++)
        if (is_unhandled(i) && states_[i] != task_state::cancelled) end.unhandled.push_back(i);
    if (end.unhandled.empty() && end.outcome == run_state::failed)
        for (int32_t i = 0; i < count; i++)
            if (is_unhandled(i)) end.unhandled.push_back(i);  // nothing failed but tasks that were cancelled by themselves
    return end;
}

}  // namespace orch::core
