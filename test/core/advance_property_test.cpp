// Random graphs, random outcomes, random orders of settling: Advance against a reference that is written from the sentences of the interface and looks at
// everything again in each step.

#include "advance_support.hpp"

#include <algorithm>
#include <random>

using namespace orch::core;

namespace {

using Random = std::mt19937;

int below(Random &random, int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); }

Json random_tasks(Random &random, int count, const std::string &prefix, const std::vector<TriggerRule> &rules)
{
    Json tasks = Json::object();
    for (int i = 0; i < count; i++) {
        Json parents = Json::array();
        for (int j = 0; j < i; j++)
            if (below(random, i) < 2 && parents.size() < 4) parents.push_back(prefix + std::to_string(j));
        const TriggerRule rule = rules[random() % rules.size()];
        Json task = {{"noop", true}, {"dependencies", parents}};
        if (rule != TriggerRule::at_least) task["trigger_rule"] = trigger_rule_name(rule);
        else if (!parents.empty()) task["trigger_rule"] = {{"at_least", 1 + below(random, static_cast<int>(parents.size()))}};
        tasks[prefix + std::to_string(i)] = task;
    }
    return tasks;
}

std::vector<TriggerRule> all_rules()
{
    std::vector<TriggerRule> rules(6, TriggerRule::all_success);  // often, as in life
    for (int rule = 0; rule <= static_cast<int>(TriggerRule::at_least); rule++) rules.push_back(static_cast<TriggerRule>(rule));
    return rules;
}

Plan random_plan(Random &random, bool fail_fast, const std::vector<TriggerRule> &rules)
{
    const Json finally_tasks = below(random, 2) ? random_tasks(random, 1 + below(random, 3), "z", rules) : Json::object();
    return compiled(Json{{"id", "w"},
                         {"on_failure", fail_fast ? "fail_fast" : "continue"},
                         {"tasks", random_tasks(random, 1 + below(random, 12), "t", rules)},
                         {"finally", finally_tasks}});
}

struct Reference {
    const Plan &plan;
    std::string &states;

    bool unhandled(int32_t task) const
    {
        if (!counts_as_failed(states[task])) return false;
        return std::none_of(plan.tasks[task].children.begin(), plan.tasks[task].children.end(), [&](int32_t child) {
            return accepts_failure(plan.tasks[child].rule) && std::string_view("KUC").find(states[child]) == std::string_view::npos;
        });
    }
    bool any_unhandled(int32_t from, int32_t to) const
    {
        for (int32_t i = from; i < to; i++)
            if (unhandled(i)) return true;
        return false;
    }
    bool all_final(int32_t from, int32_t to) const { return std::all_of(states.begin() + from, states.begin() + to, is_final); }
    void cancel(int32_t from, int32_t to)
    {
        for (int32_t i = from; i < to; i++)
            if (std::string_view("pydw").find(states[i]) != std::string_view::npos) states[i] = 'C';
    }
    Outcome by_rule(int32_t task) const
    {
        Counts counts;
        for (int32_t parent : plan.tasks[task].parents) {
            counts.parents++;
            counts.succeeded += states[parent] == 'S';
            counts.failed += counts_as_failed(states[parent]);
            counts.skipped += states[parent] == 'K';
            counts.upstream_failed += states[parent] == 'U';
        }
        return evaluate(plan.tasks[task].rule, plan.tasks[task].at_least, counts);
    }
    void decide(int32_t from, int32_t to, bool fail_fast)
    {
        for (bool changed = true; changed;) {
            changed = false;
            for (int32_t i = from; i < to; i++) {
                if (states[i] != 'p') continue;
                const Outcome outcome = by_rule(i);
                if (outcome == Outcome::wait || (outcome == Outcome::run && fail_fast && any_unhandled(from, to))) continue;
                states[i] = outcome == Outcome::run ? 'y' : outcome == Outcome::skipped ? 'K' : 'U';
                changed = true;
            }
        }
        if (fail_fast && any_unhandled(from, to)) cancel(from, to);
    }
    void step(Ending ending, bool skip_finally)
    {
        const auto count = static_cast<int32_t>(states.size());
        if (ending != Ending::none && !all_final(0, plan.main_count)) cancel(0, plan.main_count);
        else if (!all_final(0, plan.main_count)) decide(0, plan.main_count, plan.fail_fast);
        if (skip_finally) cancel(plan.main_count, count);
        else if (all_final(0, plan.main_count)) decide(plan.main_count, count, false);
    }
};

/// What a task would do if it ran: mostly succeed.
std::string random_outcomes(Random &random, std::size_t count)
{
    std::string outcomes;
    for (std::size_t i = 0; i < count; i++) outcomes += "SSSSSSFFTK"[below(random, 10)];
    return outcomes;
}

/// Picks an open task and lets it start, or end.
bool settle_one(Random &random, std::string &states, const std::string &outcomes, bool is_stopped)
{
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < states.size(); i++)
        if (states[i] == 'y' || states[i] == 'r' || states[i] == 'd') open.push_back(i);
    if (open.empty()) return false;
    char &state = states[open[random() % open.size()]];
    const std::size_t task = static_cast<std::size_t>(&state - states.data());
    if (state != 'r') state = 'r';
    else if (is_stopped && below(random, 2)) state = 'C';
    else if (below(random, 6) == 0) state = 'd';
    else state = outcomes[task];
    return true;
}

}  // namespace

TEST(advance_properties, every_run_ends_and_each_step_agrees_with_the_reference)
{
    const auto rules = all_rules();
    for (unsigned seed = 0; seed < 6000; seed++) {
        Random random(seed);
        const Plan plan = random_plan(random, below(random, 2), rules);
        const std::string outcomes = random_outcomes(random, plan.tasks.size());
        SmallRun run(plan);
        std::string expected(plan.tasks.size(), 'p');
        Reference reference{plan, expected};
        reference.step(Ending::none, false);
        int steps = 0;
        while (true) {
            ASSERT_EQ(run.states, expected) << "seed " << seed << " step " << steps;
            if (run.end.over) break;
            ASSERT_LT(++steps, 1000) << "seed " << seed;
            if (run.ending == Ending::none && below(random, 60) == 0) {
                run.ending = below(random, 2) ? Ending::cancelled : Ending::timed_out;
                run.skip_finally = below(random, 3) == 0;
            } else {
                ASSERT_TRUE(settle_one(random, run.states, outcomes, run.end.stop_running)) << "stuck: seed " << seed << " " << run.states;
            }
            expected = run.states;
            reference.step(run.ending, run.skip_finally);
            run.advance();
        }
        ASSERT_TRUE(std::all_of(run.states.begin(), run.states.end(), is_final)) << "seed " << seed;
        if (run.ending == Ending::none) {
            const auto count = static_cast<int32_t>(run.states.size());
            ASSERT_EQ(run.end.outcome, reference.any_unhandled(0, count) ? 'F' : 'S') << "seed " << seed << " " << run.states;
            ASSERT_EQ(run.end.outcome == 'F', !run.end.unhandled.empty());
        }
    }
}

TEST(advance_properties, one_advance_kept_over_the_whole_run_decides_like_a_new_one_each_time)
{
    const auto rules = all_rules();
    for (unsigned seed = 0; seed < 3000; seed++) {
        Random random(seed);
        const Plan plan = random_plan(random, below(random, 2), rules);
        const std::string outcomes = random_outcomes(random, plan.tasks.size());
        SmallRun fresh(plan);
        Advance kept(plan, std::string(plan.tasks.size(), 'p'), Ending::none, false, 0);
        std::string states(plan.tasks.size(), 'p');
        const auto go_on = [&] {
            while (const auto decision = kept.next()) {
                states[static_cast<std::size_t>(decision->task)] = SmallRun::state_for(decision->verdict);
                kept.set(decision->task, SmallRun::state_for(decision->verdict));
            }
        };
        go_on();
        while (!fresh.end.over) {
            ASSERT_EQ(states, fresh.states) << "seed " << seed;
            const std::string before = fresh.states;
            ASSERT_TRUE(settle_one(random, fresh.states, outcomes, false)) << "seed " << seed;
            for (std::size_t i = 0; i < before.size(); i++) {
                if (before[i] == fresh.states[i]) continue;
                states[i] = fresh.states[i];
                kept.set(static_cast<int32_t>(i), fresh.states[i]);
            }
            go_on();
            fresh.advance();
        }
        ASSERT_EQ(kept.end().outcome, fresh.end.outcome) << "seed " << seed;
        ASSERT_EQ(kept.end().unhandled, fresh.end.unhandled) << "seed " << seed;
        ASSERT_TRUE(kept.end().over);
    }
}

TEST(advance_properties, without_skips_the_order_of_settling_does_not_change_the_end_of_a_continued_run)
{
    const std::vector<TriggerRule> rules = {TriggerRule::all_success, TriggerRule::all_done, TriggerRule::one_success, TriggerRule::none_failed,
                                            TriggerRule::always};
    for (unsigned seed = 0; seed < 1000; seed++) {
        Random random(seed);
        const Plan plan = random_plan(random, false, rules);
        std::string outcomes = random_outcomes(random, plan.tasks.size());
        std::replace(outcomes.begin(), outcomes.end(), 'K', 'S');
        std::string first;
        for (int order = 0; order < 5; order++) {
            SmallRun run(plan);
            while (!run.end.over) {
                ASSERT_TRUE(settle_one(random, run.states, outcomes, false));
                run.advance();
            }
            if (first.empty()) first = run.states;
            ASSERT_EQ(run.states, first) << "seed " << seed;
        }
    }
}
