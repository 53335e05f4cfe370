#include "core/trigger_rule.hpp"
#include "support.hpp"

using namespace orch::core;

namespace {

/// Letters of parents: S F K U P(ending).
Outcome decided(TriggerRule rule, std::string_view parents, int at_least = 0)
{
    Counts counts;
    counts.parents = static_cast<int32_t>(parents.size());
    for (char parent : parents) {
        counts.succeeded += parent == 'S';
        counts.failed += parent == 'F';
        counts.skipped += parent == 'K';
        counts.upstream_failed += parent == 'U';
    }
    return evaluate(rule, at_least, counts);
}

Outcome outcome_from(const std::string &word)
{
    if (word == "run") return Outcome::run;
    if (word == "skipped") return Outcome::skipped;
    return word == "upstream_failed" ? Outcome::upstream_failed : Outcome::wait;
}

constexpr int rule_count = static_cast<int>(TriggerRule::at_least) + 1;

}  // namespace

TEST(trigger_rule, a_task_without_parents_runs_under_every_rule)
{
    for (int rule = 0; rule < rule_count; rule++) EXPECT_EQ(decided(static_cast<TriggerRule>(rule), "", 3), Outcome::run);
}

TEST(trigger_rule, decides_early_where_nothing_can_change_the_answer)
{
    EXPECT_EQ(decided(TriggerRule::all_success, "FP"), Outcome::upstream_failed);
    EXPECT_EQ(decided(TriggerRule::all_success, "KP"), Outcome::skipped);
    EXPECT_EQ(decided(TriggerRule::all_failed, "SP"), Outcome::skipped);
    EXPECT_EQ(decided(TriggerRule::one_success, "SP"), Outcome::run);
    EXPECT_EQ(decided(TriggerRule::one_failed, "UP"), Outcome::run);
    EXPECT_EQ(decided(TriggerRule::one_done, "FP"), Outcome::run);
    EXPECT_EQ(decided(TriggerRule::none_skipped, "KP"), Outcome::skipped);
    EXPECT_EQ(decided(TriggerRule::always, "PP"), Outcome::run);
}

TEST(trigger_rule, waits_while_the_answer_is_open)
{
    EXPECT_EQ(decided(TriggerRule::all_success, "SP"), Outcome::wait);
    EXPECT_EQ(decided(TriggerRule::all_done, "FP"), Outcome::wait);
    EXPECT_EQ(decided(TriggerRule::one_success, "FP"), Outcome::wait);
    EXPECT_EQ(decided(TriggerRule::none_failed, "KP"), Outcome::wait);
    EXPECT_EQ(decided(TriggerRule::all_done_min_one_success, "SP"), Outcome::wait);
}

TEST(trigger_rule, a_failure_weighs_more_than_a_skip)
{
    EXPECT_EQ(decided(TriggerRule::all_success, "FK"), Outcome::upstream_failed);
    EXPECT_EQ(decided(TriggerRule::one_success, "UK"), Outcome::upstream_failed);
    EXPECT_EQ(decided(TriggerRule::one_success, "KK"), Outcome::skipped);
}

TEST(trigger_rule, at_least_runs_with_n_successes_and_gives_up_when_they_are_out_of_reach)
{
    EXPECT_EQ(decided(TriggerRule::at_least, "SSP", 2), Outcome::run);
    EXPECT_EQ(decided(TriggerRule::at_least, "SFP", 2), Outcome::wait);
    EXPECT_EQ(decided(TriggerRule::at_least, "FFP", 2), Outcome::upstream_failed);
    EXPECT_EQ(decided(TriggerRule::at_least, "KKP", 2), Outcome::skipped);
    EXPECT_EQ(decided(TriggerRule::at_least, "KUS", 2), Outcome::upstream_failed);
}

TEST(trigger_rule, every_rule_decides_once_all_parents_are_final)
{
    for (int rule = 0; rule < rule_count; rule++)
        for (const char *parents : {"S", "F", "K", "U", "SF", "KU", "SK", "FU", "SFKU"})
            EXPECT_NE(decided(static_cast<TriggerRule>(rule), parents, 1), Outcome::wait) << rule << parents;
}

TEST(trigger_rule, only_four_rules_leave_a_failure_unhandled)
{
    std::string strict;
    for (int rule = 0; rule < rule_count; rule++)
        if (!accepts_failure(static_cast<TriggerRule>(rule))) strict += std::string(trigger_rule_name(static_cast<TriggerRule>(rule))) + " ";
    EXPECT_EQ(strict, "all_success all_skipped none_failed none_failed_min_one_success ");
}

TEST(trigger_rule, words_and_rules_map_both_ways)
{
    for (int rule = 0; rule + 1 < rule_count; rule++)
        EXPECT_EQ(trigger_rule_from(trigger_rule_name(static_cast<TriggerRule>(rule))), static_cast<TriggerRule>(rule));
    EXPECT_FALSE(trigger_rule_from("at_least"));
    EXPECT_FALSE(trigger_rule_from("ALL_SUCCESS"));
}

TEST(trigger_rule, agrees_with_every_row_of_airflows_table)
{
    const auto folder = test_data();
    if (!folder) GTEST_SKIP() << "ORCH_TEST_DATA is not set";
    int rows = 0;
    for (const auto &row : table(*folder + "/trigger-rules.tsv")) {
        if (row[0] == "rule") continue;
        const auto rule = trigger_rule_from(row[0]);
        ASSERT_TRUE(rule) << row[0];
        EXPECT_EQ(decided(*rule, row[1]), outcome_from(row[2])) << row[0] << " " << row[1];
        rows++;
    }
    EXPECT_GE(rows, 240);
}
