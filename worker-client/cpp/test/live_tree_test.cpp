#include "live_tree.hpp"
#include "table.hpp"

#include <gtest/gtest.h>

#include <clocale>

namespace {

using namespace orch::cli;
using nlohmann::json;

tree_task node(const std::string &id, const std::string &state, int level, const std::vector<std::string> &dependencies = {})
{
    tree_task task;
    task.id = id;
    task.state = state;
    task.level = level;
    task.dependencies = dependencies;
    task.attempt = task.max_attempts = 1;
    return task;
}

std::string drawn(const std::vector<tree_line> &lines)
{
    std::string text;
    for (const auto &line : lines) text += line.text + "\n";
    return text;
}

TEST(live_tree, a_task_stands_below_the_deepest_that_it_depends_on)
{
    std::vector<tree_task> tasks{node("extract", "succeeded", 0), node("a", "succeeded", 1, {"extract"}),  node("b", "running", 1, {"extract"}),
                                 node("a2", "skipped", 2, {"a"}), node("join", "pending", 3, {"a2", "b"}), node("alone", "failed", 0)};
    tasks[2].progress = {{"done", 3}, {"total", 10}};
    tasks[2].attempt = 2;
    tasks[2].max_attempts = 3;
    tasks[2].seconds = 4.25;
    tasks[2].worker = "w\n1";
    tasks[5].error = "no \x1b[31mluck";
    EXPECT_EQ(drawn(draw_tree(tasks)), "✓ extract\n"
                                       "├─ ✓ a\n"
                                       "│  − a2  skipped\n"
                                       "│  · join  also after b\n"
                                       "└─ ▶ b  running  attempt 2/3  ███░░░░░░░ 30 %  4.2 s  on w\\n1\n"
                                       "✗ alone  failed  no \\u001b[31mluck\n");
}

TEST(live_tree, what_is_busy_stays_where_not_all_have_a_place)
{
    std::setlocale(LC_CTYPE, "C.UTF-8");
    std::vector<tree_task> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(node("t" + std::to_string(i), i == 70 || i == 90 ? "running" : "pending", 0));
    EXPECT_EQ(drawn(fitted(draw_tree(tasks), 20, 5)), "· t0\n· t1\n▶ t70  running\n▶ t90  running\n… and 96 more\n");
    EXPECT_EQ(drawn(fitted(draw_tree({node("a-rather-long-name", "running", 0)}), 12, 5)), "▶ a-rathe...\n");
    EXPECT_EQ(draw_tree({}).size(), 0u);
}

TEST(live_tree, a_long_chain_does_not_move_to_the_right)
{
    std::vector<tree_task> tasks{node("t0", "pending", 0)};
    for (int i = 1; i < 5000; ++i) tasks.push_back(node("t" + std::to_string(i), "pending", i, {"t" + std::to_string(i - 1)}));
    const auto lines = draw_tree(tasks);
    ASSERT_EQ(lines.size(), 5000u);
    EXPECT_EQ(lines.back().text, "· t4999");
}

TEST(live_tree, progress_is_a_bar_where_it_has_a_share)
{
    EXPECT_EQ(progress_bar(json()), "");
    EXPECT_EQ(progress_bar({{"percent", 55}}), "█████░░░░░ 55 %");
    EXPECT_EQ(progress_bar({{"done", 5}, {"total", 0}}), R"({"done":5,"total":0})");
    EXPECT_EQ(progress_bar({{"done", 20}, {"total", 10}}), "██████████ 100 %");
    EXPECT_EQ(progress_bar({{"percent", "half"}}), R"({"percent":"half"})");
}

TEST(live_tree, spans_are_short)
{
    EXPECT_EQ(span_text(0.04), "0.0 s");
    EXPECT_EQ(span_text(59.9), "59 s");
    EXPECT_EQ(span_text(185), "3 min 5 s");
    EXPECT_EQ(span_text(7620), "2 h 7 min");
}

}  // namespace
