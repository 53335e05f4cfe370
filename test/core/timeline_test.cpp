#include "core/timeline.hpp"
#include "support.hpp"

using namespace orch::core;

namespace {

using enum EventKind;

const std::string diamond =
    R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]},"c":{"noop":true,"dependencies":["a"]},"d":{"noop":true,"dependencies":["b","c"]}})";

std::string path(const Plan &plan, const std::vector<TaskTime> &times)
{
    std::string ids;
    for (size_t t = 0; t < times.size(); t++)
        if (times[t].on_critical_path) ids += plan.tasks[t].id;
    return ids;
}

}  // namespace

TEST(timeline, tells_queueing_from_running_and_finds_what_the_end_waited_for)
{
    const Plan plan = compiled(with_tasks(diamond));
    const std::vector<Moment> moments{{-1, run_started, 100},   {0, task_started, 110},  {0, task_succeeded, 150}, {1, task_started, 151},
                                      {1, task_succeeded, 160}, {2, task_started, 170},  {2, task_succeeded, 200}, {3, task_started, 205},
                                      {3, task_succeeded, 215}, {-1, run_succeeded, 215}};
    const auto times = timeline(plan, moments, std::string("SSSS"), 999);
    EXPECT_EQ(times[0].queued_us, 10);
    EXPECT_EQ(times[0].running_us, 40);
    EXPECT_EQ(times[0].after, -1);
    EXPECT_EQ(times[2].ready_us, 150);
    EXPECT_EQ(times[2].queued_us, 20);
    EXPECT_EQ(times[3].queued_us, 5) << "from the end of the parent that ended last";
    EXPECT_EQ(times[3].after, 2);
    EXPECT_EQ(path(plan, times), "acd");
}

TEST(timeline, a_retry_waits_for_its_delay_and_then_for_a_worker)
{
    const Plan plan = compiled(with_tasks(R"({"a":{"noop":true}})"));
    const std::vector<Moment> moments{
        {-1, run_started, 100}, {0, task_started, 100},  {0, task_retry_scheduled, 110, 150}, {0, task_started, 155}, {0, task_released, 160},
        {0, task_started, 170}, {0, lease_expired, 180}, {0, task_retry_scheduled, 180, 190}, {0, task_started, 190}, {0, task_succeeded, 200}};
    const TaskTime time = timeline(plan, moments, std::string("S"), 999)[0];
    EXPECT_EQ(time.attempts, 4);
    EXPECT_EQ(time.running_us, 10 + 5 + 10 + 10);
    EXPECT_EQ(time.waiting_us, 40 + 10);
    EXPECT_EQ(time.queued_us, 5 + 10);
    EXPECT_EQ(time.running_us + time.waiting_us + time.queued_us, 100) << "no moment is lost";
}

TEST(timeline, what_is_not_over_goes_on_until_now)
{
    const Plan plan = compiled(with_tasks(R"({"r":{"noop":true},"y":{"noop":true},"d":{"noop":true},"w":{"sleep":1},"p":{"noop":true,"dependencies":["r"]}})"));
    const std::vector<Moment> moments{{-1, run_started, 100}, {0, task_started, 110}, {2, task_started, 100}, {2, task_retry_scheduled, 120, 500},
                                      {3, task_started, 100}, {3, timer_created, 100}};
    const auto times = timeline(plan, moments, std::string("rydwp"), 200);
    EXPECT_EQ(times[0].running_us, 90);
    EXPECT_EQ(times[1].queued_us, 100);
    EXPECT_EQ(times[2].waiting_us, 80);
    EXPECT_EQ(times[3].waiting_us, 100);
    EXPECT_EQ(times[3].running_us, 0) << "sleeping is not running";
    EXPECT_FALSE(times[4].began);
}

TEST(timeline, a_reopened_task_begins_anew_and_a_finally_task_follows_the_last_main_task)
{
    const Plan plan = compiled(json(R"({"id":"w","tasks":{"a":{"noop":true},"b":{"noop":true}},"finally":{"z":{"noop":true}}})"));
    const std::vector<Moment> moments{{-1, run_started, 100}, {-1, run_reopened, 300},  {0, task_started, 100}, {0, task_failed, 110},
                                      {0, task_started, 320}, {0, task_succeeded, 330}, {1, task_started, 100}, {1, task_succeeded, 150},
                                      {2, task_started, 160}, {2, task_succeeded, 170}, {2, task_started, 335}, {2, task_succeeded, 340}};
    const auto times = timeline(plan, moments, std::string("SSS"), 999);
    EXPECT_EQ(times[0].queued_us, 20) << "from the reopening on";
    EXPECT_EQ(times[2].queued_us, 10 + 5);
    EXPECT_EQ(times[2].after, 0);
    EXPECT_EQ(path(plan, times), "az");
    const auto open = timeline(plan, moments, std::string("SSp"), 999);
    EXPECT_FALSE(open[2].over);
}
