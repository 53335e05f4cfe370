// The fold of events into states, and the histories that versions of orch have written: each of them stays readable.

#include "advance_support.hpp"
#include "core/replay.hpp"

#include <filesystem>

using namespace orch::core;

namespace {

class Story {
public:
    explicit Story(const Plan &plan) : plan_(plan), counts_(plan.tasks.size() + 1) {}

    Story &run(EventKind kind) { return add(-1, kind); }
    Story &task(std::string_view id, EventKind kind) { return add(plan_.find(id), kind); }
    Story &begin() { return run(EventKind::run_triggered).run(EventKind::run_started); }

    ReplayedRun replayed() const { return replay(plan_, events_); }
    std::string states() const
    {
        std::string letters;
        for (const Replayed &task : replayed().tasks) letters += task.state;
        return letters;
    }
    std::string contradiction() const
    {
        const auto run = replayed();
        return run.contradictions.empty() ? "" : run.contradictions[0].text;
    }

    std::vector<RecordedEvent> events_;

private:
    Story &add(int32_t task_no, EventKind kind)
    {
        events_.push_back({task_no, ++counts_[static_cast<std::size_t>(task_no + 1)], static_cast<int16_t>(kind)});
        return *this;
    }

    const Plan &plan_;
    std::vector<int32_t> counts_;
};

/// Like small_plan, for workers: tasks of handlers become ready, those of the engine do not.
Plan worker_plan(const std::string &tasks, const std::string &more = "") { return compiled(with_tasks(tasks, more)); }

Plan chain() { return worker_plan(R"({"a": {"handler": "h"}, "b": {"handler": "h", "dependencies": ["a"]}})"); }

}  // namespace

TEST(replay, waits_end_by_what_they_wait_for)
{
    const Plan plan = compiled(with_tasks(R"({"a":{"signal":{"name":"s"}},"b":{"workflow":{"id":"w"}}})"));
    Story story = Story(plan).begin().task("a", EventKind::task_started).task("a", EventKind::task_waiting).run(EventKind::signal_sent);
    story.task("b", EventKind::task_started).task("b", EventKind::child_started);
    EXPECT_EQ(story.states(), "ww");
    story.task("a", EventKind::signal_received).task("b", EventKind::child_ended).task("b", EventKind::task_retry_scheduled);
    EXPECT_EQ(story.task("a", EventKind::task_succeeded).states(), "Sd");
    story.task("b", EventKind::timer_fired).task("b", EventKind::task_started).task("b", EventKind::child_started);
    const ReplayedRun run = story.task("b", EventKind::child_ended).task("b", EventKind::task_cancelled).replayed();
    EXPECT_TRUE(run.contradictions.empty());
    EXPECT_EQ(run.tasks[1].attempt, 2);
    EXPECT_EQ(run.tasks[1].output_no, run.tasks[1].events) << "a child that was cancelled says so";
}

TEST(replay, what_no_event_tells_follows_from_the_plan)
{
    const Plan plan = chain();
    EXPECT_EQ(Story(plan).run(EventKind::run_triggered).states(), "pp");
    EXPECT_EQ(Story(plan).run(EventKind::run_triggered).replayed().run.state, run_state::scheduled);
    EXPECT_EQ(Story(plan).run(EventKind::run_triggered).run(EventKind::run_queued).replayed().run.state, run_state::queued);
    EXPECT_EQ(Story(plan).begin().states(), "yp");
    EXPECT_EQ(Story(plan).begin().task("a", EventKind::task_started).states(), "rp");
    EXPECT_EQ(Story(plan).begin().task("a", EventKind::task_started).task("a", EventKind::task_succeeded).states(), "Sy");
}

TEST(replay, tasks_of_the_engine_are_never_ready)
{
    const Plan plan = worker_plan(R"({"a": {"noop": true}, "b": {"handler": "h", "dependencies": ["a"]}})");
    EXPECT_EQ(Story(plan).begin().states(), "pp");
}

TEST(replay, nothing_becomes_ready_in_a_run_that_ends_early)
{
    const Plan plan = worker_plan(R"({"a": {"handler": "h"}, "b": {"handler": "h"}, "c": {"handler": "h", "dependencies": ["b"]}})");
    Story failed = Story(plan).begin().task("a", EventKind::task_started).task("a", EventKind::task_failed).task("b", EventKind::task_started);
    failed.task("b", EventKind::task_succeeded);
    EXPECT_EQ(failed.states(), "FSp");
    EXPECT_EQ(Story(plan).begin().run(EventKind::run_cancel_requested).states(), "ppp");
}

TEST(replay, attempts_are_counted_and_those_that_were_given_back_forgiven)
{
    const Plan plan = chain();
    Story story = Story(plan).begin().task("a", EventKind::task_started).task("a", EventKind::task_released).task("a", EventKind::task_started);
    story.task("a", EventKind::lease_expired).task("a", EventKind::task_retry_scheduled);
    EXPECT_EQ(story.states(), "dp");
    story.task("a", EventKind::timer_fired).task("a", EventKind::settle_refused);
    EXPECT_EQ(story.states(), "yp");
    const Replayed task = story.replayed().tasks[0];
    EXPECT_EQ(task.attempt, 2);
    EXPECT_EQ(task.attempts_before, 1);
    EXPECT_EQ(task.events, 7);
}

TEST(replay, only_a_task_that_ran_tells_why_it_was_cancelled)
{
    const Plan plan = worker_plan(R"({"a": {"handler": "h"}, "b": {"handler": "h"}})");
    Story story = Story(plan).begin().task("a", EventKind::task_started).run(EventKind::run_cancel_requested);
    const ReplayedRun run = story.task("a", EventKind::task_cancelled).task("b", EventKind::task_cancelled).run(EventKind::run_cancelled).replayed();
    EXPECT_EQ(run.run.state, run_state::cancelled);
    EXPECT_EQ(run.tasks[0].output_no, 2);
    EXPECT_EQ(run.tasks[1].output_no, 0);
}

TEST(replay, a_reopened_run_begins_again_with_what_did_not_succeed)
{
    const Plan plan = worker_plan(R"({"a": {"handler": "h"}, "b": {"handler": "h", "dependencies": ["a"]}})", R"("finally": {"z": {"noop": true}})");
    Story story = Story(plan).begin().task("a", EventKind::task_started).task("a", EventKind::task_succeeded).task("b", EventKind::task_started);
    story.task("b", EventKind::task_failed).task("z", EventKind::task_started).task("z", EventKind::task_succeeded).run(EventKind::run_failed);
    EXPECT_EQ(story.states(), "SFS");
    story.run(EventKind::run_reopened);
    EXPECT_EQ(story.states(), "Syp");
    const ReplayedRun run = story.replayed();
    EXPECT_EQ(run.run.output_no, 0);
    EXPECT_EQ(run.tasks[1].output_no, 0);
    EXPECT_EQ(run.tasks[1].attempts_before, 1);
    EXPECT_EQ(run.tasks[2].attempts_before, 1);
}

TEST(replay, contradictions_are_told)
{
    const Plan plan = chain();
    EXPECT_EQ(Story(plan).begin().contradiction(), "");
    EXPECT_EQ(Story(plan).run(EventKind::run_started).contradiction(), "event 1, run_started, comes before run_triggered");
    EXPECT_EQ(Story(plan).begin().task("a", EventKind::task_succeeded).contradiction(), "event 1, task_succeeded, happened to a task that was pending");
    const Plan with_fallback = compiled(with_tasks(R"({"a":{"handler":"h","circuit":"c","fallback":1}})"));
    EXPECT_EQ(Story(with_fallback).begin().task("a", EventKind::task_succeeded).states(), "S") << "the output while the circuit is open";
    EXPECT_EQ(Story(plan).begin().run(EventKind::run_reopened).contradiction(), "event 3, run_reopened, happened to a run that was running");
    Story gap = Story(plan).begin();
    gap.events_[1].no = 3;
    EXPECT_EQ(gap.contradiction(), "event 3, run_started, should be number 2");
    Story stranger = Story(plan).begin();
    stranger.events_.push_back({7, 1, 20});
    EXPECT_EQ(stranger.contradiction(), "event 1, task_started, belongs to no task");
    Story later = Story(plan).begin();
    later.events_.push_back({0, 1, 999});
    EXPECT_EQ(later.contradiction(), "event 1, of the unknown kind 999, happened to a task that was pending");
}

TEST(replay, code_adds_tasks_on_its_way)
{
    const Plan plan = compile(json(R"({"id": "w", "tasks": {"main": {"code": {"workflow": "w", "version": "1"}}}})"));
    EXPECT_EQ(plan.tasks[0].handler, ":code/w@1");
    const auto number = [](EventKind kind) { return static_cast<int16_t>(kind); };
    Story story = Story(plan).begin().task("main", EventKind::task_started);
    story.events_.push_back({1, 1, number(EventKind::step_recorded), 'S'});
    story.events_.push_back({2, 1, number(EventKind::task_added), 'y'});
    EXPECT_EQ(story.states(), "rSy");
    story.task("main", EventKind::task_suspended);
    EXPECT_EQ(story.states(), "wSy");
    EXPECT_EQ(story.replayed().tasks[0].attempt, 0);
    EXPECT_EQ(story.task("main", EventKind::task_woken).states(), "ySy");
    EXPECT_EQ(story.contradiction(), "");
    Story twice = story;
    twice.events_.push_back({1, 2, number(EventKind::step_recorded), 'S'});
    EXPECT_EQ(twice.contradiction(), "event 2, step_recorded, happened to a task that was succeeded");
    Story stateless = story;
    stateless.events_.push_back({3, 1, number(EventKind::task_added), 'S'});
    EXPECT_EQ(stateless.contradiction(), "event 1, task_added, happened to a task that was not there");
    Story hole = story;
    hole.events_.push_back({5, 1, number(EventKind::task_added), 'y'});
    EXPECT_EQ(hole.replayed().tasks[4].state, 0);
}

TEST(replay, what_code_started_is_no_template)
{
    const PlannedTask task =
        compile_step(json(R"({"id": "a#1", "handler": "h", "metadata": {"m": "{{ input.x }}"}, "retries": 5, "timeout_seconds": 3})"), "slow");
    EXPECT_EQ(task.id + " " + task.handler + " " + task.queue, "a#1 h slow");
    EXPECT_EQ(task.retry.max_attempts, 6);
    EXPECT_EQ(task.timeout_seconds, 3);
    EXPECT_FALSE(task.has_templates);
    EXPECT_EQ(compile_step(json(R"({"id": "a#1", "step": true})"), "q").executor, Executor::step);
}

TEST(replay, each_state_is_reached_and_each_end_is_told)
{
    for (char state : std::string("yrdwSFTKUC")) {
        bool reached = false;
        for (const StateChange &change : task_changes) reached |= change.to == state;
        EXPECT_TRUE(reached) << state;
    }
    for (char state : std::string("SFTKUC")) EXPECT_TRUE(task_goes('r', state, task_end_event(state)) || task_goes('p', state, task_end_event(state))) << state;
    for (char state : std::string("SFTC")) EXPECT_TRUE(run_goes('c', state, run_end_event(state))) << state;
}

// The corpus ---------------------------------------------------------------------------------------

class Histories : public testing::TestWithParam<std::string> {};

TEST_P(Histories, leads_to_the_state_that_was_stored)
{
    const Json document = json(file_text(std::string(ORCH_HISTORIES) + "/" + GetParam()));
    const Plan plan = compile(document.at("definition"));
    std::vector<RecordedEvent> events;
    for (const Json &e : document.at("events")) {
        const char state = e.contains("facts") ? task_state_from(e.at("facts").at("state").get<std::string>()) : '\0';
        events.push_back({e.at("task_no").get<int32_t>(), e.at("no").get<int32_t>(), e.at("kind").get<int16_t>(), state});
    }
    const ReplayedRun run = replay(plan, events);

    for (const Contradiction &c : run.contradictions) ADD_FAILURE() << c.task_no << ": " << c.text;
    EXPECT_EQ(std::string(1, run.run.state), document.at("run").at("state").get<std::string>());
    EXPECT_EQ(run.run.events, document.at("run").at("events").get<int32_t>());
    ASSERT_EQ(run.tasks.size(), document.at("tasks").size());
    for (std::size_t t = 0; t < run.tasks.size(); t++) {
        const Json &stored = document.at("tasks").at(t);
        const Replayed &task = run.tasks[t];
        SCOPED_TRACE(stored.at("id").get<std::string>());
        if (t < plan.tasks.size()) { EXPECT_EQ(plan.tasks[t].id, stored.at("id").get<std::string>()); }
        EXPECT_EQ(std::string(1, task.state), stored.at("state").get<std::string>());
        EXPECT_EQ(task.events, stored.at("events").get<int32_t>());
        EXPECT_EQ(task.output_no, stored.at("output_no").get<int32_t>());
        EXPECT_EQ(task.attempt, stored.at("attempt").get<int16_t>());
        EXPECT_EQ(task.attempts_before, stored.at("attempts_before").get<int16_t>());
    }
}

namespace {

std::vector<std::string> recorded_histories()
{
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(ORCH_HISTORIES))
        if (entry.path().extension() == ".json") names.push_back(std::filesystem::relative(entry.path(), ORCH_HISTORIES).string());
    std::sort(names.begin(), names.end());
    return names;
}

std::string test_name(const testing::TestParamInfo<std::string> &info)
{
    std::string name = info.param.substr(0, info.param.rfind('.'));
    for (char &c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    return name;
}

}  // namespace

TEST(replay, the_recorded_histories_are_there) { EXPECT_GE(recorded_histories().size(), 20u); }

INSTANTIATE_TEST_SUITE_P(recorded, Histories, testing::ValuesIn(recorded_histories()), test_name);
