#include "batch_collector.hpp"
#include "leased_task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace {

using namespace orch;

/// What each of `inputs` came to, all begun at once.
std::vector<std::string> all_of(batch_collector &collector, const std::vector<json> &inputs)
{
    std::vector<std::string> ended(inputs.size());
    std::vector<std::thread> threads;
    threads.reserve(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i)
        threads.emplace_back([&, i] {
            leased_task work;
            try {
                ended[i] = collector.run(work, inputs[i]).dump();
            } catch (const std::exception &thrown) {
                ended[i] = thrown.what();
            }
        });
    for (auto &thread : threads) thread.join();
    return ended;
}

TEST(batch, each_task_is_settled_on_its_own)
{
    batch_collector collector(4, [](std::span<batch_item> items) {
        for (auto &item : items) {
            if (item.input == 0) item.complete("zero");
            if (item.input == 1) item.fail(task_error("handler", "one", "it is one"));
            if (item.input == 2) item.skip("it is two");
        }
    });
    EXPECT_EQ(all_of(collector, {0, 1, 2, 3}), (std::vector<std::string>{"\"zero\"", "it is one", "it is two", "the batch handler said nothing of this task"}));
}

TEST(batch, an_exception_fails_those_that_were_not_settled)
{
    batch_collector collector(2, [](std::span<batch_item> items) {
        for (auto &item : items)
            if (item.input == 0) item.complete(0);
        throw std::runtime_error("broken");
    });
    EXPECT_EQ(all_of(collector, {0, 1}), (std::vector<std::string>{"0", "broken"}));
}

TEST(batch, one_call_at_a_time_and_none_too_large)
{
    std::atomic<int> calls{0}, at_once{0}, most_at_once{0};
    std::atomic<size_t> largest{0}, all{0};
    batch_collector collector(5, [&](std::span<batch_item> items) {
        most_at_once = std::max<int>(most_at_once, ++at_once);
        ++calls;
        largest = std::max<size_t>(largest, items.size());
        all += items.size();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        for (auto &item : items) item.complete(item.input);
        --at_once;
    });
    std::vector<json> inputs;
    std::vector<std::string> wanted;
    for (int i = 0; i < 40; ++i) {
        inputs.emplace_back(i);
        wanted.push_back(std::to_string(i));
    }
    EXPECT_EQ(all_of(collector, inputs), wanted);
    EXPECT_EQ(all, 40u);
    EXPECT_EQ(most_at_once, 1);
    EXPECT_LE(largest, 5u);
    EXPECT_GE(calls, 8);
}

}  // namespace
