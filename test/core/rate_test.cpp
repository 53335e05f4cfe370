#include "core/rate.hpp"

#include <gtest/gtest.h>

namespace orch::core {

namespace {

constexpr int64_t a_second = 1'000'000;

int taken_at(const Rate &rate, int64_t &full_at, int64_t now, int tries)
{
    int granted = 0;
    for (int i = 0; i < tries; i++) granted += take_one(rate, full_at, now).granted;
    return granted;
}

TEST(Rate, holds_what_comes_in_the_time_of_a_burst)
{
    EXPECT_EQ(Rate::of(300, 60).capacity, 300);
    EXPECT_EQ(Rate::of(300, 1).capacity, 5);
    EXPECT_EQ(Rate::of(1, 1).capacity, 1);
    EXPECT_EQ(Rate::of(0, 60).interval_us, 0);
    int64_t full_at = 0;
    EXPECT_TRUE(take_one(Rate::of(0, 60), full_at, 5).granted);
}

TEST(Rate, grants_a_bucketful_and_then_one_by_one)
{
    const Rate rate = Rate::of(300, 60);
    int64_t full_at = 0, now = 7 * a_second;
    EXPECT_EQ(taken_at(rate, full_at, now, 1000), 300);
    EXPECT_EQ(taken_at(rate, full_at, now + rate.interval_us - 1, 10), 0);
    EXPECT_EQ(taken_at(rate, full_at, now + rate.interval_us, 10), 1);
    EXPECT_EQ(taken_at(rate, full_at, now + 11 * rate.interval_us, 100), 10);
    EXPECT_EQ(taken_at(rate, full_at, now + 3600 * a_second, 1000), 300);
}

TEST(Rate, never_grants_more_than_its_rate_in_the_long_run)
{
    for (const int a_minute : {1, 7, 59, 61, 300, 1'000'000}) {
        const Rate rate = Rate::of(a_minute, 1);
        int64_t full_at = 0;
        int64_t granted = 0;
        for (int64_t now = a_second; now <= 61 * a_second; now += 13'007) granted += take_one(rate, full_at, now).granted;
        EXPECT_LE(granted, a_minute + rate.capacity) << a_minute;
    }
}

TEST(Rate, says_what_is_left_and_when_to_come_again)
{
    const Rate rate = Rate::of(6, 60);
    int64_t full_at = 0;
    const int64_t now = 100 * a_second;
    Taken taken = take_one(rate, full_at, now);
    EXPECT_EQ(taken.remaining, 5);
    EXPECT_EQ(taken.full_us, 10 * a_second);
    EXPECT_EQ(taken.retry_us, 0);
    taken_at(rate, full_at, now, 5);
    taken = take_one(rate, full_at, now + 4 * a_second);
    EXPECT_FALSE(taken.granted);
    EXPECT_EQ(taken.remaining, 0);
    EXPECT_EQ(taken.full_us, 56 * a_second);
    EXPECT_EQ(taken.retry_us, 6 * a_second);
}

TEST(Rate, forgets_a_debt_that_a_smaller_bucket_could_not_have)
{
    int64_t full_at = 0;
    taken_at(Rate::of(1, 3600), full_at, a_second, 60);
    const Rate rate = Rate::of(60, 1);
    EXPECT_EQ(taken_at(rate, full_at, 2 * a_second, 5), 0);
    EXPECT_EQ(taken_at(rate, full_at, 3 * a_second, 5), 1);
}

}  // namespace

}  // namespace orch::core
