#include "advance_support.hpp"

using namespace orch::core;

TEST(advance, roots_start_and_children_follow)
{
    const Plan plan = small_plan("a; b: a; c: a; d: b c");
    SmallRun run(plan);
    EXPECT_EQ(run.states, "yppp");
    run.settle("a", 'S');
    EXPECT_EQ(run.states, "Syyp");
    run.settle("b", 'S');
    EXPECT_EQ(run.states, "SSyp");
    run.settle("c", 'S');
    EXPECT_EQ(run.states, "SSSy");
    EXPECT_EQ(run.end.outcome, 0);
    run.settle("d", 'S');
    EXPECT_EQ(run.end.outcome, 'S');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, fail_fast_cancels_what_has_not_started_and_stops_what_runs)
{
    const Plan plan = small_plan("a; b: a; lone; next: lone; waits; later");
    SmallRun run(plan);
    run.states = "rprpwd";
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "FUrCCC");
    EXPECT_TRUE(run.end.stop_running);
    EXPECT_EQ(run.end.outcome, 0);
    run.settle("lone", 'C');
    EXPECT_EQ(run.end.outcome, 'F');
    EXPECT_TRUE(run.end.over);
    EXPECT_FALSE(run.end.stop_running);
    EXPECT_EQ(run.end.unhandled, (std::vector<int32_t>{0}));
}

TEST(advance, continue_lets_independent_branches_go_on)
{
    const Plan plan = small_plan("a; b: a; lone; next: lone", false);
    SmallRun run(plan);
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "FUyp");
    EXPECT_FALSE(run.end.stop_running);
    run.settle("lone", 'S');
    EXPECT_EQ(run.states, "FUSy");
    run.settle("next", 'S');
    EXPECT_EQ(run.end.outcome, 'F');
}

TEST(advance, a_failure_is_handled_by_a_child_that_accepts_it_and_ran)
{
    const Plan plan = small_plan("a; mend one_failed: a; lone");
    SmallRun run(plan);
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "Fyy");
    EXPECT_FALSE(run.end.stop_running);
    run.settle("mend", 'S');
    run.settle("lone", 'S');
    EXPECT_EQ(run.end.outcome, 'S');
    EXPECT_TRUE(run.end.unhandled.empty());
}

TEST(advance, a_child_that_ran_before_the_failure_handles_it)
{
    const Plan plan = small_plan("a; b; first one_success: a b");
    SmallRun run(plan);
    run.settle("a", 'S');
    run.settle("first", 'S');
    run.settle("b", 'F');
    EXPECT_EQ(run.end.outcome, 'S');
}

TEST(advance, fail_fast_waits_until_the_last_accepting_child_is_decided)
{
    const Plan plan = small_plan("a; b; mend all_failed: a b; lone");
    SmallRun run(plan);
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "Fypy") << "mend may still run";
    run.settle("b", 'S');
    EXPECT_EQ(run.states, "FSKC");
    EXPECT_EQ(run.end.outcome, 'F');
}

TEST(advance, a_handler_that_fails_leaves_its_own_failure)
{
    const Plan plan = small_plan("a; mend one_failed: a");
    SmallRun run(plan);
    run.settle("a", 'F');
    run.settle("mend", 'F');
    EXPECT_EQ(run.end.outcome, 'F');
    EXPECT_EQ(run.end.unhandled, (std::vector<int32_t>{1}));
}

TEST(advance, a_task_cancelled_by_the_end_starts_no_childs_rule)
{
    const Plan plan = small_plan("a; lone; after all_done: lone; deep always: after");
    SmallRun run(plan);
    run.states = "rypp";
    run.states[3] = 'S';
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "FCCS");
}

TEST(advance, descendants_of_the_failure_become_upstream_failed_before_the_rest_is_cancelled)
{
    const Plan plan = small_plan("a; b: a; c: b; d none_failed: c; e all_done: b; lone; f: lone");
    SmallRun run(plan);
    run.settle("a", 'T');
    EXPECT_EQ(run.states, "TUUUCCC");
    EXPECT_EQ(run.end.outcome, 'F');
}

TEST(advance, a_skipped_root_skips_its_children_and_the_run_succeeds)
{
    const Plan plan = small_plan("a; b: a; c none_failed: b");
    SmallRun run(plan);
    run.settle("a", 'K');
    EXPECT_EQ(run.states, "KKy");
    run.settle("c", 'S');
    EXPECT_EQ(run.end.outcome, 'S');
}

TEST(advance, a_task_that_was_cancelled_by_itself_counts_as_failed)
{
    const Plan plan = small_plan("a; b: a; lone");
    SmallRun run(plan);
    run.settle("a", 'C');
    EXPECT_EQ(run.states, "CUC");
    EXPECT_EQ(run.end.outcome, 'F');
    EXPECT_EQ(run.end.unhandled, (std::vector<int32_t>{0, 2}));
}

TEST(advance, cancel_ends_what_has_not_started_and_waits_for_what_runs)
{
    const Plan plan = small_plan("a; b: a; lone; !z");
    SmallRun run(plan);
    run.states = "rpyp";
    run.ends(Ending::cancelled);
    EXPECT_EQ(run.states, "rCCp");
    EXPECT_TRUE(run.end.stop_running);
    EXPECT_EQ(run.end.outcome, 0);
    run.settle("a", 'C');
    EXPECT_EQ(run.states, "CCCy") << "finally runs after a cancel too";
    EXPECT_EQ(run.end.outcome, 'C');
    EXPECT_FALSE(run.end.over);
    run.settle("z", 'S');
    EXPECT_EQ(run.end.outcome, 'C');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, a_run_that_timed_out_ends_timed_out)
{
    const Plan plan = small_plan("a; b: a");
    SmallRun run(plan);
    run.ends(Ending::timed_out);
    EXPECT_EQ(run.states, "CC");
    EXPECT_EQ(run.end.outcome, 'T');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, forced_cancel_skips_finally)
{
    const Plan plan = small_plan("a; !y; !z: y");
    SmallRun run(plan);
    run.ends(Ending::cancelled, true);
    EXPECT_EQ(run.states, "CCC");
    EXPECT_EQ(run.end.outcome, 'C');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, forced_cancel_stops_finally_tasks_that_run)
{
    const Plan plan = small_plan("a; !y; !z: y");
    SmallRun run(plan);
    run.settle("a", 'S');
    run.states[1] = 'r';
    run.ends(Ending::cancelled, true);
    EXPECT_EQ(run.states, "SrC");
    EXPECT_TRUE(run.end.stop_running);
    run.settle("y", 'C');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, finally_runs_once_all_else_is_final_in_its_own_order)
{
    const Plan plan = small_plan("a; b; !y; !z: y");
    SmallRun run(plan);
    run.settle("a", 'S');
    EXPECT_EQ(run.states, "Sypp");
    run.settle("b", 'S');
    EXPECT_EQ(run.states, "SSyp");
    EXPECT_EQ(run.end.outcome, 'S');
    EXPECT_FALSE(run.end.over);
    run.settle("y", 'S');
    run.settle("z", 'S');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, a_failed_finally_task_fails_a_run_that_would_have_succeeded)
{
    const Plan plan = small_plan("a; !y; !z: y; !w");
    SmallRun run(plan);
    run.settle("a", 'S');
    run.settle("y", 'F');
    EXPECT_EQ(run.states, "SFUy") << "fail_fast does not reach into finally";
    run.settle("w", 'S');
    EXPECT_EQ(run.end.outcome, 'F');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, finally_runs_after_a_failure)
{
    const Plan plan = small_plan("a; b: a; !z");
    SmallRun run(plan);
    run.settle("a", 'F');
    EXPECT_EQ(run.states, "FUy");
    run.settle("z", 'S');
    EXPECT_EQ(run.end.outcome, 'F');
    EXPECT_TRUE(run.end.over);
}

TEST(advance, a_cancel_during_finally_keeps_the_outcome)
{
    const Plan plan = small_plan("a; !z");
    SmallRun run(plan);
    run.settle("a", 'S');
    run.ends(Ending::cancelled);
    EXPECT_EQ(run.states, "Sy");
    run.settle("z", 'S');
    EXPECT_EQ(run.end.outcome, 'S');
}

TEST(advance, each_task_is_asked_for_once_until_it_is_answered)
{
    const Plan plan = small_plan("a; b; c: a b");
    Advance advance(plan, std::string("ppp"), Ending::none, false, 0);
    const auto first = advance.next(), second = advance.next();
    ASSERT_TRUE(first && second);
    EXPECT_NE(first->task, second->task);
    EXPECT_FALSE(advance.next());
    advance.set(0, 'S');
    advance.set(1, 'S');
    const auto third = advance.next();
    ASSERT_TRUE(third);
    EXPECT_EQ(third->task, 2);
}

TEST(advance, a_start_that_was_under_way_when_the_run_began_to_fail_is_cancelled)
{
    const Plan plan = small_plan("a; b; c");
    Advance advance(plan, std::string("ppp"), Ending::none, false, 0);
    for (int i = 0; i < 3; i++) ASSERT_EQ(advance.next()->verdict, Verdict::start);
    advance.set(1, 'F');
    EXPECT_FALSE(advance.next());
    advance.set(0, 'y');
    const auto decision = advance.next();
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->task, 0);
    EXPECT_EQ(decision->verdict, Verdict::cancel);
}

TEST(advance, what_could_not_be_cancelled_is_not_asked_for_for_ever)
{
    const Plan plan = small_plan("a; b");
    Advance advance(plan, std::string("yy"), Ending::cancelled, false, 0);
    int asked = 0;
    while (const auto decision = advance.next()) {
        advance.set(decision->task, 'y');
        ASSERT_LE(++asked, 2);
    }
    EXPECT_EQ(asked, 2);
}

TEST(advance, decides_a_hundred_thousand_tasks_in_one_sweep)
{
    Json tasks = Json::object();
    auto &members = static_cast<Json::object_t::Container &>(tasks.get_ref<Json::object_t &>());
    for (int i = 0; i < 100'000; i++)
        members.emplace_back("t" + std::to_string(i), Json{{"noop", true}, {"dependencies", i ? Json::array({"t" + std::to_string(i - 1)}) : Json::array()}});
    const Plan plan = compiled(Json{{"id", "w"}, {"tasks", tasks}});
    std::string states(plan.tasks.size(), 'p');
    Advance advance(plan, states, Ending::none, false, 0);
    int decided = 0;
    while (const auto decision = advance.next()) {
        advance.set(decision->task, 'S');
        decided++;
    }
    EXPECT_EQ(decided, 100'000);
    EXPECT_TRUE(advance.end().over);
}
