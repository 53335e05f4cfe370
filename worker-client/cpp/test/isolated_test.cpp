#include "executors.hpp"
#include "isolated.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace {

using namespace orch;
using namespace std::chrono_literals;

json settled(const handler_function &function, leased_task &work) { return json::parse("{" + run_handler(work, function).fields + "}"); }

TEST(isolated, a_handler_runs_in_a_process_of_its_own)
{
    const auto function = isolated(
        [](task_context &task, json input) -> json {
            return {{"pid", getpid()}, {"input", input}, {"attempt", task.attempt}, {"run", task.run_id}};
        },
        1s);
    leased_task work;
    work.run_id = "r";
    work.attempt = 3;
    work.input = R"({"n":1})";
    const auto given = settled(function, work)["output"];
    EXPECT_NE(given["pid"], getpid());
    EXPECT_EQ(given["input"]["n"], 1);
    EXPECT_EQ(given["attempt"], 3);
    EXPECT_EQ(given["run"], "r");
}

TEST(isolated, its_lines_progress_and_errors_come_through)
{
    const auto function = isolated(
        [](task_context &task, json) -> json {
            task.log("said");
            task.progress({{"at", 1}});
            throw task_error("validation", "bad", "it is bad", "very");
        },
        1s);
    leased_task work;
    work.input = "null";
    const auto error = settled(function, work)["error"];
    EXPECT_EQ(error["class"], "validation");
    EXPECT_EQ(error["detail"], "very");
    EXPECT_NE(work.take_lines().find("said"), std::string::npos);
    EXPECT_EQ(work.take_progress(std::chrono::steady_clock::now()), R"({"at":1})");
}

TEST(isolated, one_that_hears_nothing_is_killed)
{
    const auto function = isolated(
        [](task_context &, json) -> json {
            if (std::system("sleep 600 &") != 0) return "no shell";
            std::this_thread::sleep_for(10min);
            return nullptr;
        },
        200ms);
    leased_task work;
    work.input = "null";
    std::thread later([&] {
        std::this_thread::sleep_for(300ms);
        work.interrupt(leased_task::reason::timed_out);
    });
    EXPECT_EQ(settled(function, work)["error"]["class"], "timeout");
    later.join();
}

TEST(isolated, one_that_listens_ends_by_itself)
{
    const auto function = isolated(
        [](task_context &task, json) -> json {
            while (!task.stop.stop_requested()) std::this_thread::sleep_for(10ms);
            return "stopped";
        },
        60s);
    leased_task work;
    work.input = "null";
    std::thread later([&] { work.interrupt(leased_task::reason::draining); });
    EXPECT_EQ(settled(function, work)["output"], "stopped");
    later.join();
}

TEST(isolated, one_that_dies_fails_its_attempt_and_no_other)
{
    const auto function = isolated(
        [](task_context &, json input) -> json {
            if (input == "die") std::raise(SIGKILL);
            return input;
        },
        1s);
    leased_task dies, lives;
    dies.input = R"("die")";
    lives.input = R"("live")";
    EXPECT_EQ(settled(function, dies)["error"]["class"], "infrastructure");
    EXPECT_EQ(settled(function, lives)["output"], "live");
}

}  // namespace
