#include "leased_task.hpp"

#include <gtest/gtest.h>

namespace {

using namespace orch;
using namespace std::chrono_literals;

TEST(progress, the_newest_is_taken_once_and_not_twice_a_second)
{
    leased_task work;
    const auto now = std::chrono::steady_clock::now();
    EXPECT_EQ(work.take_progress(now), "");
    work.progress({{"row", 1}});
    work.progress({{"row", 2}});
    EXPECT_EQ(work.take_progress(now), R"({"row":2})");
    EXPECT_EQ(work.take_progress(now + 2s), "") << "nothing new";
    work.progress({{"row", 3}});
    EXPECT_EQ(work.take_progress(now + 900ms), "") << "the server would leave it out";
    EXPECT_EQ(work.take_progress(now + 2s), R"({"row":3})") << "but it is kept";
}

TEST(progress, has_a_limit)
{
    leased_task work;
    EXPECT_NO_THROW(work.progress(std::string(4094, 'x')));
    EXPECT_THROW(work.progress(std::string(4095, 'x')), std::length_error);
}

TEST(progress, holds_nothing_that_jsonb_refuses)
{
    leased_task work;
    work.progress(std::string("a\0b", 3));
    EXPECT_EQ(work.take_progress(std::chrono::steady_clock::now()), R"("a\ufffdb")");
}

}  // namespace
