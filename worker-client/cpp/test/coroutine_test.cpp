#include "orch/task.hpp"
#include "orch/worker.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace {

using namespace orch;

task<int64_t> plain(int value) { co_return value; }

task<int64_t> sum_to(int n)
{
    int64_t sum = 0;
    for (int i = 1; i <= n; ++i) sum += co_await plain(i);
    co_return sum;
}

task<int> thrower()
{
    throw std::runtime_error("thrown");
    co_return 0;
}

task<> held(std::shared_ptr<int> value)
{
    *value += 1;
    co_return;
}

TEST(coroutine, begins_only_when_awaited)
{
    auto value = std::make_shared<int>(0);
    {
        auto never = held(value);
        EXPECT_EQ(*value, 0);
        EXPECT_EQ(value.use_count(), 2);
    }
    EXPECT_EQ(value.use_count(), 1) << "the frame of one that never ran is freed";
    detail::wait_for(held(value));
    EXPECT_EQ(*value, 1);
    EXPECT_EQ(value.use_count(), 1);
}

TEST(coroutine, a_million_awaits_do_not_grow_the_stack) { EXPECT_EQ(detail::wait_for(sum_to(1'000'000)), 500000500000); }

TEST(coroutine, an_exception_reaches_the_one_who_awaits)
{
    const auto outer = []() -> task<std::string> {
        try {
            co_await thrower();
        } catch (const std::runtime_error &caught) {
            co_return caught.what();
        }
        co_return "nothing";
    };
    EXPECT_EQ(detail::wait_for(outer()), "thrown");
    EXPECT_THROW(detail::wait_for(thrower()), std::runtime_error);
}

TEST(coroutine, may_be_resumed_by_another_thread)
{
    struct elsewhere {
        std::thread &thread;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> waiting) const
        {
            thread = std::thread([waiting] { waiting.resume(); });
        }
        void await_resume() const noexcept {}
    };
    std::thread other;
    const auto body = [](std::thread &thread) -> task<std::thread::id> {
        co_await elsewhere{thread};
        co_return std::this_thread::get_id();
    };
    EXPECT_NE(detail::wait_for(body(other)), std::this_thread::get_id());
    other.join();
}

}  // namespace
