#include "core/retry_policy.hpp"

#include <gtest/gtest.h>

using namespace orch::core;

namespace {

bool retried(const RetryPolicy &policy, TaskError error, int attempt = 1) { return should_retry(policy, error, attempt, 0, std::nullopt); }

}  // namespace

TEST(retry_policy, delays_double_up_to_the_cap)
{
    RetryPolicy policy;
    policy.jitter = 0;
    EXPECT_EQ(delay(policy, 1, 0.9), 1);
    EXPECT_EQ(delay(policy, 2, 0.9), 2);
    EXPECT_EQ(delay(policy, 5, 0.9), 16);
    EXPECT_EQ(delay(policy, 6, 0.9), 30);
    EXPECT_EQ(delay(policy, 2'000'000'000, 0.9), 30);
}

TEST(retry_policy, jitter_comes_on_top_of_the_cap)
{
    const RetryPolicy policy;
    EXPECT_EQ(delay(policy, 10, 0), 30);
    EXPECT_EQ(delay(policy, 10, 1), 45);
    EXPECT_EQ(delay(policy, 1, 0.5), 1.25);
}

TEST(retry_policy, a_fixed_delay_does_not_grow)
{
    RetryPolicy policy;
    policy.exponential = false;
    policy.jitter = 0;
    EXPECT_EQ(delay(policy, 7, 0.3), 1);
}

TEST(retry_policy, no_attempt_follows_the_last)
{
    const RetryPolicy policy;
    EXPECT_TRUE(retried(policy, {"transient", "", {}}, 2));
    EXPECT_FALSE(retried(policy, {"transient", "", {}}, 3));
    EXPECT_FALSE(should_retry(policy, {"transient", "", {}}, 3, 0, true));
}

TEST(retry_policy, no_attempt_starts_past_the_total_time)
{
    RetryPolicy policy;
    policy.max_attempts = 10;
    policy.max_elapsed_seconds = 60;
    EXPECT_TRUE(should_retry(policy, {"handler", "", {}}, 4, 59.9, std::nullopt));
    EXPECT_FALSE(should_retry(policy, {"handler", "", {}}, 4, 60.1, std::nullopt));
}

TEST(retry_policy, the_class_decides_by_default)
{
    const RetryPolicy policy;
    for (const char *name : {"transient", "timeout", "resource", "infrastructure", "handler", "unknown", "", "SomethingElse"})
        EXPECT_TRUE(retried(policy, {name, "", {}})) << name;
    for (const char *name : {"validation", "cancelled"}) EXPECT_FALSE(retried(policy, {name, "", {}})) << name;
}

TEST(retry_policy, retry_on_names_classes_codes_and_exit_codes)
{
    RetryPolicy policy;
    policy.retry_on = {"timeout", "40001", "75"};
    EXPECT_TRUE(retried(policy, {"timeout", "", {}}));
    EXPECT_TRUE(retried(policy, {"validation", "40001", {}}));
    EXPECT_TRUE(retried(policy, {"handler", "", 75}));
    EXPECT_FALSE(retried(policy, {"handler", "", 1}));
    EXPECT_FALSE(retried(policy, {"transient", "08006", {}}));
}

TEST(retry_policy, no_retry_on_wins_over_everything)
{
    RetryPolicy policy;
    policy.retry_on = {"handler"};
    policy.no_retry_on = {"99"};
    EXPECT_FALSE(should_retry(policy, {"handler", "", 99}, 1, 0, true));
    EXPECT_TRUE(should_retry(policy, {"handler", "", 98}, 1, 0, std::nullopt));
}

TEST(retry_policy, a_workers_word_wins_over_the_class)
{
    const RetryPolicy policy;
    EXPECT_TRUE(should_retry(policy, {"validation", "", {}}, 1, 0, true));
    EXPECT_FALSE(should_retry(policy, {"transient", "", {}}, 1, 0, false));
}

TEST(error_class, follows_sqlstates)
{
    for (const char *state : {"08006", "40001", "40P01", "53300", "55P03", "57014"}) EXPECT_EQ(class_of_sqlstate(state), ErrorClass::transient) << state;
    for (const char *state : {"22012", "23505", "42P01"}) EXPECT_EQ(class_of_sqlstate(state), ErrorClass::validation) << state;
    for (const char *state : {"P0001", "XX000", "55006", ""}) EXPECT_EQ(class_of_sqlstate(state), ErrorClass::unknown) << state;
}

TEST(error_class, follows_http_statuses_and_exit_codes)
{
    EXPECT_EQ(class_of_http_status(408), ErrorClass::resource);
    EXPECT_EQ(class_of_http_status(429), ErrorClass::resource);
    EXPECT_EQ(class_of_http_status(404), ErrorClass::validation);
    EXPECT_EQ(class_of_http_status(503), ErrorClass::transient);
    EXPECT_EQ(class_of_http_status(302), ErrorClass::unknown);
    EXPECT_EQ(class_of_exit_code(1), ErrorClass::handler);
}

TEST(error_class, circuits_count_what_the_other_side_causes)
{
    for (const char *name : {"transient", "timeout", "resource", "infrastructure"}) EXPECT_TRUE(opens_circuit(error_class_from(name))) << name;
    for (const char *name : {"validation", "handler", "cancelled", "unknown"}) EXPECT_FALSE(opens_circuit(error_class_from(name))) << name;
}

TEST(error_class, names_map_both_ways)
{
    for (int i = 0; i <= static_cast<int>(ErrorClass::unknown); i++)
        EXPECT_EQ(error_class_from(error_class_name(static_cast<ErrorClass>(i))), static_cast<ErrorClass>(i));
}

TEST(retry_delay, an_error_may_ask_for_more_but_not_for_less_nor_for_ever)
{
    RetryPolicy policy;
    policy.jitter = 0;
    EXPECT_EQ(delay(policy, 1, 0, 0.5), 1);
    EXPECT_EQ(delay(policy, 1, 0, 7), 7);
    EXPECT_EQ(delay(policy, 1, 0, 600), 600);
    EXPECT_EQ(delay(policy, 1, 0, 1e300), longest_asked_delay);
    EXPECT_EQ(delay(policy, 1, 0, -3), 1);
    policy.delay_seconds = policy.max_delay_seconds = 2 * longest_asked_delay;
    EXPECT_EQ(delay(policy, 1, 0, 1e300), 2 * longest_asked_delay);
}
