#include "core/topology.hpp"
#include "support.hpp"

using namespace orch::core;

TEST(plan, numbers_tasks_in_the_order_of_the_text_and_finally_tasks_last)
{
    const Plan plan =
        compiled(json(R"({"id":"w","finally":{"z":{"noop":true}},"tasks":[{"id":"b","noop":true,"dependencies":["a"]},{"id":"a","noop":true}]})"));
    EXPECT_EQ(plan.main_count, 2);
    EXPECT_EQ(plan.find("b"), 0);
    EXPECT_EQ(plan.find("a"), 1);
    EXPECT_EQ(plan.find("z"), 2);
    EXPECT_EQ(plan.find("nobody"), -1);
    EXPECT_EQ(plan.order, (std::vector<int32_t>{1, 0, 2}));
    EXPECT_TRUE(plan.tasks[2].is_finally);
    EXPECT_EQ(plan.tasks[2].level, 2);
}

TEST(plan, knows_edges_levels_joins_and_the_critical_path)
{
    const Plan plan = compiled(with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]},"c":{"noop":true,"dependencies":["a"]},
        "d":{"noop":true,"dependencies":["c","b"]},"lone":{"noop":true}})"));
    EXPECT_EQ(plan.tasks[0].children, (std::vector<int32_t>{1, 2}));
    EXPECT_EQ(plan.tasks[3].parents, (std::vector<int32_t>{1, 2}));
    EXPECT_EQ(plan.tasks[3].level, 2);
    EXPECT_EQ(plan.tasks[3].join_no, 0);
    EXPECT_EQ(plan.tasks[1].join_no, -1);
    EXPECT_EQ(plan.join_count, 1);
    EXPECT_EQ(critical_path(plan), (std::vector<int32_t>{0, 1, 3}));
    EXPECT_FALSE(plan.is_chain);
}

TEST(plan, the_critical_path_goes_on_through_finally_tasks)
{
    const Plan plan = compiled(
        with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]}})", R"("finally":{"x":{"noop":true},"y":{"noop":true,"dependencies":["x"]}})"));
    EXPECT_EQ(critical_path(plan), (std::vector<int32_t>{0, 1, 2, 3}));
}

TEST(plan, a_chain_is_one_root_and_no_branch)
{
    EXPECT_TRUE(compiled(with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]}})")).is_chain);
    EXPECT_TRUE(compiled(with_tasks(R"({"a":{"noop":true}})")).is_chain);
    EXPECT_FALSE(compiled(with_tasks(R"({"a":{"noop":true},"b":{"noop":true}})")).is_chain);
    EXPECT_FALSE(compiled(with_tasks(R"({"a":{"noop":true}})", R"("finally":{"z":{"noop":true}})")).is_chain);
}

TEST(plan, routes_follow_the_executor)
{
    const Plan plan = compiled(with_tasks(
        R"({"a":{"handler":"resize"},"b":{"command":"true","queue":"slow"},"c":{"http":{"url":"https://x"}},"d":{"callable":"m:f"},"e":{"sql":"select 1"},"f":{"noop":true}})",
        R"("queue":"q")"));
    EXPECT_EQ(plan.tasks[0].handler, "resize");
    EXPECT_EQ(plan.tasks[0].queue, "q");
    EXPECT_EQ(plan.tasks[1].handler, ":command");
    EXPECT_EQ(plan.tasks[1].queue, "slow");
    EXPECT_EQ(plan.tasks[2].handler, ":http");
    EXPECT_EQ(plan.tasks[3].handler, ":callable");
    EXPECT_EQ(plan.tasks[4].handler, ":sql");
    EXPECT_EQ(plan.tasks[5].handler, "");
    EXPECT_TRUE(runs_in_engine(plan.tasks[5].executor));
    EXPECT_FALSE(runs_in_engine(plan.tasks[4].executor));
}

TEST(plan, timeouts_have_their_defaults)
{
    const Plan plan = compiled(with_tasks(
        R"({"a":{"http":{"url":"https://x"}},"b":{"http":{"llm":{"model":"m","prompt":"p"}}},"c":{"command":"true"},"d":{"http":{"url":"https://x"},"timeout_seconds":0}})"));
    EXPECT_EQ(plan.tasks[0].timeout_seconds, 10);
    EXPECT_EQ(plan.tasks[1].timeout_seconds, 120);
    EXPECT_EQ(plan.tasks[2].timeout_seconds, 0);
    EXPECT_EQ(plan.tasks[3].timeout_seconds, 0);
}

TEST(plan, retry_settings_come_from_the_task_then_defaults_then_ours)
{
    const Plan plan = compiled(with_tasks(
        R"({"a":{"handler":"h"},"b":{"handler":"h","retries":0,"retry_on":["timeout",75]},"c":{"handler":"h","retry_delay_seconds":90,"retry_backoff":"fixed"}})",
        R"("defaults":{"retries":5,"retry_jitter":0})"));
    EXPECT_EQ(plan.tasks[0].retry.max_attempts, 6);
    EXPECT_EQ(plan.tasks[0].retry.jitter, 0);
    EXPECT_EQ(plan.tasks[1].retry.max_attempts, 1);
    EXPECT_EQ(plan.tasks[1].retry.retry_on, (Codes{"timeout", "75"}));
    EXPECT_EQ(delay(plan.tasks[2].retry, 4, 0), 90);
    EXPECT_EQ(compiled(with_tasks(R"({"a":{"handler":"h"}})")).tasks[0].retry.max_attempts, 3);
}

TEST(plan, waits_have_one_attempt_and_children_several)
{
    const Plan plan = compiled(with_tasks(
        R"({"a":{"signal":{"name":"s","timeout_seconds":7},"retries":5},"b":{"approval":{},"timeout_seconds":8},"c":{"workflow":{"id":"w"},"retries":5}})"));
    EXPECT_EQ(plan.tasks[0].retry.max_attempts, 1);
    EXPECT_EQ(plan.tasks[0].timeout_seconds, 7);
    EXPECT_EQ(plan.tasks[1].timeout_seconds, 8);
    EXPECT_EQ(plan.tasks[2].retry.max_attempts, 6);
    for (const PlannedTask &task : plan.tasks) EXPECT_TRUE(runs_in_engine(task.executor) && task.handler.empty());
}

TEST(plan, knows_what_templates_and_conditions_need)
{
    const Plan plan = compiled(with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]},
        "c":{"command":["echo","{{ tasks.b.output }}"],"env":{"X":"{{ run.id ?? input.x }}"},"dependencies":["b"],"when":"$.tasks.a.output.n > 0"}})"));
    EXPECT_TRUE(plan.tasks[2].has_templates);
    EXPECT_EQ(plan.tasks[2].referenced, (std::vector<int32_t>{0, 1}));
    EXPECT_TRUE(plan.tasks[2].references_input);
    EXPECT_TRUE(plan.tasks[2].references_run);
    EXPECT_FALSE(plan.tasks[1].has_templates);
}

TEST(plan, workflow_settings_are_read)
{
    const Plan plan = compiled(with_tasks(
        R"({"a":{"noop":true,"trigger_rule":"all_done"}})",
        R"("name":"W","on_failure":"continue","timeout_seconds":60.5,"max_active_runs":2,"when_full":"reject","priority":3,"output":"{{ tasks.a.output }}")"));
    EXPECT_EQ(plan.name, "W");
    EXPECT_FALSE(plan.fail_fast);
    EXPECT_EQ(plan.timeout_seconds, 60.5);
    EXPECT_EQ(plan.max_active_runs, 2);
    EXPECT_TRUE(plan.reject_when_full);
    EXPECT_EQ(plan.priority, 3);
    EXPECT_EQ(plan.output, "{{ tasks.a.output }}");
    EXPECT_EQ(plan.tasks[0].rule, TriggerRule::all_done);
}

TEST(plan, keeps_its_index_when_it_is_moved)
{
    Plan plan = compiled(with_tasks(R"({"a":{"noop":true},"b":{"noop":true}})"));
    const Plan moved = std::move(plan);
    EXPECT_EQ(moved.find("b"), 1);
}

TEST(topology, lists_disjoint_cycles_by_their_members_only)
{
    Edges edges(8);
    edges.add(0, 1);
    edges.add(1, 2);
    edges.add(2, 1);
    edges.add(2, 3);  // behind a cycle, in none
    edges.add(4, 5);
    edges.add(5, 6);
    edges.add(6, 4);
    const Topology topology = sort(edges);
    EXPECT_EQ(topology.order, (std::vector<int32_t>{0, 7}));
    EXPECT_EQ(find_cycles(edges, topology), (std::vector<std::vector<int32_t>>{{1, 2}, {4, 5, 6}}));
}
