// A small run in memory: drives Advance as the engine does, with one letter a task.
#pragma once

#include "core/advance.hpp"
#include "support.hpp"

#include <string>
#include <utility>

namespace orch::core {

struct SmallRun {
    const Plan &plan;
    std::string states;
    Ending ending = Ending::none;
    bool skip_finally = false;
    char outcome = 0;
    RunEnd end{};

    explicit SmallRun(const Plan &p) : plan(p), states(p.tasks.size(), 'p') { advance(); }

    /// One fixpoint, as the engine's: started tasks become ready.
    void advance()
    {
        Advance advance(plan, states, ending, skip_finally, outcome);
        while (const auto decision = advance.next()) {
            states[static_cast<std::size_t>(decision->task)] = state_for(decision->verdict);
            advance.set(decision->task, state_for(decision->verdict));
        }
        end = advance.end();
        outcome = end.outcome;
    }

    /// A task gets a state, and the run goes on from there.
    void settle(std::string_view id, char state)
    {
        states[static_cast<std::size_t>(plan.find(id))] = state;
        advance();
    }

    void ends(Ending how, bool force = false)
    {
        ending = how;
        skip_finally = force;
        advance();
    }

    static char state_for(Verdict verdict)
    {
        switch (verdict) {
        case Verdict::start: return 'y';
        case Verdict::skip: return 'K';
        case Verdict::upstream_failed: return 'U';
        default: return 'C';
        }
    }
};

/// Tasks as "a; b: a; c all_done: a b; !z" (id, rule, parents; ! for finally).
inline Plan small_plan(std::string_view text, bool fail_fast = true)
{
    Json tasks = Json::object(), last = Json::object();
    std::istringstream entries{std::string(text)};
    for (std::string entry; std::getline(entries, entry, ';');) {
        const auto colon = entry.find(':');
        std::istringstream head(entry.substr(0, colon)), parents(colon == std::string::npos ? "" : entry.substr(colon + 1));
        std::string id, rule, parent;
        head >> id >> rule;
        Json task = {{"noop", true}};
        if (!rule.empty()) task["trigger_rule"] = rule;
        task["dependencies"] = Json::array();
        while (parents >> parent) task["dependencies"].push_back(parent);
        if (id[0] == '!') last[id.substr(1)] = task;
        else tasks[id] = task;
    }
    return compiled(Json{{"id", "w"}, {"on_failure", fail_fast ? "fail_fast" : "continue"}, {"tasks", tasks}, {"finally", last}});
}

}  // namespace orch::core
