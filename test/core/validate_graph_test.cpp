#include "support.hpp"

#include <random>

using namespace orch::core;

namespace {

std::string task(const std::string &id, const std::string &parents, const std::string &more = "")
{
    return "\"" + id + "\":{\"noop\":true,\"dependencies\":[" + parents + "]" + more + "}";
}

std::string t(int i) { return "t" + std::to_string(i); }

/// Tasks t0... whose parents `parents_of` gives as text.
template <class F>
std::string many(int count, const F &parents_of, const std::string &more = "")
{
    std::string text = "{";
    for (int i = 0; i < count; i++) text += (i ? "," : "") + task(t(i), parents_of(i), more);
    return text + "}";
}

double seconds_for(const std::string &tasks, std::size_t *problems = nullptr)
{
    const Json spec = with_tasks(tasks);
    std::vector<Problem> found;
    const double seconds = processor_seconds([&] { found = validate(spec); });
    if (problems) *problems = found.size();
    return seconds;
}

}  // namespace

TEST(validate_graph, a_task_cannot_depend_on_itself)
{
    EXPECT_EQ(found(with_tasks("{" + task("a", "\"a\"") + "}")), (Codes{"self_dependency /tasks/a/dependencies/0"}));
}

TEST(validate_graph, a_cycle_is_told_by_its_path_and_its_members_only)
{
    const auto problems = validate(with_tasks("{" + task("start", "") + "," + task("a", "\"start\",\"c\"") + "," + task("b", "\"a\"") + "," +
                                              task("c", "\"b\"") + "," + task("after", "\"c\"") + "}"));
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code, "cycle");
    EXPECT_EQ(problems[0].path, "/tasks/a/dependencies");
    EXPECT_NE(problems[0].message.find(R"("a" -> "b" -> "c" -> "a")"), std::string::npos);
    for (const char *innocent : {"start", "after"}) EXPECT_EQ((problems[0].message + problems[0].detail + problems[0].hint).find(innocent), std::string::npos);
}

TEST(validate_graph, finds_a_cycle_of_ten_thousand_and_of_a_hundred_thousand)
{
    for (int count : {10'000, 100'000}) {
        const auto problems = validate(with_tasks(many(count, [&](int i) { return "\"" + t((i + count - 1) % count) + "\""; })));
        ASSERT_EQ(problems.size(), 1u);
        EXPECT_EQ(problems[0].code, "cycle");
        EXPECT_LT(problems[0].message.size(), 1000u);
    }
}

TEST(validate_graph, unknown_dependencies_are_named)
{
    const auto problems = validate(with_tasks("{" + task("a", "") + "," + task("b", "\"a\",\"ghost\"") + "}"));
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].path, "/tasks/b/dependencies/1");
    EXPECT_NE(problems[0].message.find("\"b\" depends on \"ghost\""), std::string::npos);
}

TEST(validate_graph, dependencies_are_a_list_of_different_ids)
{
    EXPECT_EQ(found(with_tasks("{" + task("a", "") + "," + task("b", "\"a\",\"a\"") + "}")), (Codes{"duplicate_dependency /tasks/b/dependencies/1"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":"a"}})")), (Codes{"wrong_type /tasks/b/dependencies"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true},"b":{"noop":true,"dependencies":[1,null]}})")),
              (Codes{"wrong_type /tasks/b/dependencies/0", "wrong_type /tasks/b/dependencies/1"}));
}

TEST(validate_graph, main_and_finally_tasks_do_not_depend_on_each_other)
{
    EXPECT_EQ(found(with_tasks("{" + task("a", "\"z\"") + "}", "\"finally\":{" + task("z", "") + "}")),
              (Codes{"misplaced_dependency /tasks/a/dependencies/0"}));
    EXPECT_EQ(found(with_tasks("{" + task("a", "") + "}", "\"finally\":{" + task("z", "\"a\"") + "}")),
              (Codes{"misplaced_dependency /finally/z/dependencies/0"}));
    EXPECT_EQ(found(with_tasks("{" + task("a", "") + "}", "\"finally\":{" + task("z", "\"y\"") + "," + task("y", "\"z\"") + "}")),
              (Codes{"cycle /finally/z/dependencies"}));
}

TEST(validate_graph, several_roots_and_disconnected_parts_are_fine)
{
    EXPECT_TRUE(found(with_tasks("{" + task("a", "") + "," + task("b", "") + "," + task("c", "\"b\"") + "}")).empty());
}

TEST(validate_graph, a_hundred_thousand_tasks_validate_and_compile_well_under_a_second)
{
    std::mt19937 random(1);
    const std::string tasks = many(100'000, [&](int i) {
        return i < 2 ? std::string() : "\"" + t(i - 1) + "\"" + (i > 50 ? ",\"" + t(i - 2 - static_cast<int>(random() % 48)) + "\"" : "");
    });
    std::size_t problems = 1;
    EXPECT_LT(seconds_for(tasks, &problems), 1.0);
    EXPECT_EQ(problems, 0u);
    EXPECT_EQ(compile(with_tasks(tasks)).order.size(), 100'000u);
}

TEST(validate_graph, references_to_far_ancestors_stay_fast)
{
    std::mt19937 random(2);
    std::string text = "{";
    for (int i = 0; i < 100'000; i++)
        text += (i ? "," : "") + task(t(i), i ? "\"" + t(i - 1) + "\"" : "",
                                      i ? ",\"input\":\"{{ tasks." + t(static_cast<int>(random() % static_cast<unsigned>(i))) + ".output }}\"" : "");
    std::size_t problems = 1;
    EXPECT_LT(seconds_for(text + "}", &problems), 2.0);
    EXPECT_EQ(problems, 0u);
}
