// A definition from text to the end of a run of it: whatever passes validation compiles, can be drawn, and ends whatever its tasks do.

#include "fuzz.hpp"

#include "core/advance.hpp"
#include "core/graph.hpp"
#include "core/json_path.hpp"
#include "core/validate.hpp"

#include <string>

using namespace orch::core;
using orch::fuzz::promise;

namespace {

void plan_is_whole(const Plan &plan)
{
    promise(plan.order.size() == plan.tasks.size(), "the order holds every task");
    std::vector<bool> seen(plan.tasks.size());
    for (int32_t task : plan.order) {
        for (int32_t parent : plan.tasks[task].parents) promise(seen[parent], "a parent comes before its children");
        promise(!seen[task], "and no task twice");
        seen[task] = true;
    }
    promise(plan.tasks.empty() || !critical_path(plan).empty(), "there is a longest path");
    const std::vector<char> states(plan.tasks.size(), task_state::running);
    for (GraphFormat format : {GraphFormat::text, GraphFormat::mermaid, GraphFormat::dot})
        promise(!render_graph(plan, format, states).empty() && !render_graph(plan, format).empty(), "a plan can be drawn");
}

bool all_final(const std::vector<char> &states)
{
    for (char state : states)
        if (!is_final(state)) return false;
    return true;
}

/// Plays a run: everything started ends somehow, now and then the run is cancelled or out of time.
void run_ends(const Plan &plan, orch::fuzz::Dice &dice)
{
    std::vector<char> states(plan.tasks.size(), task_state::pending);
    Ending ending = Ending::none;
    const bool skip_finally = dice.below(4) == 0;
    char outcome = 0;
    for (std::size_t turn = 0; turn <= 3 * plan.tasks.size() + 3; turn++) {
        if (dice.below(8) == 0 && outcome == 0) ending = dice.below(2) ? Ending::cancelled : Ending::timed_out;
        Advance advance(plan, states, ending, skip_finally && ending == Ending::cancelled, outcome);
        while (const auto decision = advance.next()) {
            constexpr char by_verdict[] = {task_state::ready, task_state::skipped, task_state::upstream_failed, task_state::cancelled};
            char &state = states[decision->task];
            promise(!is_final(state), "what is final is not decided again");
            state = by_verdict[static_cast<int>(decision->verdict)];
            advance.set(decision->task, state);
        }
        const RunEnd end = advance.end();
        if (end.outcome != 0) outcome = end.outcome;
        if (end.over) return promise(all_final(states), "a run is over when all its tasks are");
        bool settled = false;
        for (char &state : states) {
            if (state != task_state::ready || (settled && dice.below(2))) continue;
            state = "SSSFTC"[dice.below(6)];
            settled = true;
        }
        promise(settled, "a run that is not over has a task to run");
    }
    promise(false, "a run ends");
}

}  // namespace

void orch::fuzz::one(std::string_view bytes)
{
    const auto parsed = parse(bytes, {.max_bytes = 100'000});
    const auto *spec = std::get_if<Json>(&parsed);
    if (!spec) return;
    const auto problems = validate(*spec, light_path_check);
    promise(problems.size() <= max_shown_problems + 1, "the list of problems is bounded");
    promise(summary(problems).size() < 5000, "and so is their summary");
    if (has_errors(problems)) return;
    const Plan plan = compile(*spec);
    plan_is_whole(plan);
    Dice dice(bytes);
    for (int i = 0; i < 4; i++) run_ends(plan, dice);
}
