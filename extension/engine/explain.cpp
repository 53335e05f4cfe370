#include "engine/explain.hpp"

#include <cmath>

namespace orch::engine {

namespace {

using core::EventKind;
using core::Json;
using core::Moment;
using core::TaskTime;

// What a task's events tell beside the time.
struct TaskStory {
    std::string worker, child, error_class, error_message;
    Json facts;
};

struct RunStory {
    std::vector<Moment> moments;
    std::map<int32, TaskStory> told;
};

bool ends_an_attempt(EventKind kind)
{
    return kind == EventKind::task_retry_scheduled || (kind >= EventKind::task_succeeded && kind <= EventKind::task_cancelled);
}

RunStory story_of(const RunLook &run)
{
    static pg::Statement select(
        "select e.task_no, e.kind, e.at, case when e.kind = 21 then (e.payload ->> 'delay_seconds')::float8 end, e.facts,"
        " case when e.kind = 20 and starts_with(e.actor, 'worker:') then substr(e.actor, 8) end,"
        " case when e.kind = 21 then e.payload -> 'error' when e.kind in (24, 25, 28) then e.payload end,"
        " case when e.kind = 61 then e.payload ->> 'run_id' end"
        " from _orch.event_{} e where e.run_id = $1 and e.kind in (2, 6, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 40, 61, 65) order by e.task_no, e.no",
        {UUIDOID});
    RunStory story;
    const pg::Rows rows = select.run_on(day_of(run.id), Parameters<1>().add(pg::uuid_datum(run.id)));
    for (uint64 i = 0; i < rows.count(); i++) {
        const int32 task = rows.int4(i, 1);
        if (task >= run.version->task_count()) continue;
        Moment moment{task, static_cast<EventKind>(rows.int2(i, 2)), rows.time(i, 3)};
        if (auto delay = rows.maybe(i, 4)) moment.due_us = moment.at_us + static_cast<int64>(DatumGetFloat8(*delay) * USECS_PER_SEC);
        story.moments.push_back(moment);
        if (task < 0) continue;
        TaskStory &told = story.told[task];
        if (!rows.is_null(i, 6)) told.worker = rows.text(i, 6);
        if (!rows.is_null(i, 8)) told.child = rows.text(i, 8);
        if (!ends_an_attempt(moment.kind)) continue;
        // The last attempt's word stands, and a success after a failure has none.
        told.facts = nullptr;
        told.error_class.clear();
        told.error_message.clear();
        if (auto facts = rows.maybe(i, 5)) {
            auto parsed = core::parse(pg::json_text_of(*facts), {.exact_integers = false});
            if (auto *json = std::get_if<Json>(&parsed)) told.facts = std::move(*json);
        }
        if (auto error = rows.maybe(i, 7); error && pg::is_object(*error)) {
            told.error_class = pg::text_member(*error, "class").value_or("");
            told.error_message = pg::text_member(*error, "message").value_or("");
        }
    }
    return story;
}

Json detail_of(const core::Plan &plan, int32 task, const TaskTime &time, const TaskStory &told)
{
    Json detail{{"executor", core::executor_name(plan.tasks[task].executor)}};
    if (time.after >= 0) detail["after"] = plan.tasks[time.after].id;
    if (!told.worker.empty()) detail["worker"] = told.worker;
    if (!told.child.empty()) detail["child"] = told.child;
    if (!told.error_class.empty() || !told.error_message.empty()) detail["error"] = Json{{"class", told.error_class}, {"message", told.error_message}};
    if (told.facts.is_object()) detail.update(told.facts);
    return detail;
}

double seconds(int64 us) { return static_cast<double>(us) / USECS_PER_SEC; }

Explained of_run(const RunLook &run, const std::vector<TaskTime> &times, TimestampTz now)
{
    const TimestampTz end = run.finished_at.value_or(now), start = std::min(run.started_at.value_or(end), end);
    Explained row{std::nullopt, core::run_state_name(run.state), {}, Json::object()};
    row.time.began = true;
    row.time.over = run.finished_at.has_value();
    row.time.ready_us = row.time.started_us = start;
    row.time.ended_us = end;
    std::vector<int32> path;
    for (size_t t = 0; t < times.size(); t++) {
        row.time.attempts += times[t].attempts;
        if (!times[t].on_critical_path) continue;
        path.push_back(static_cast<int32>(t));
        row.time.queued_us += times[t].queued_us;
        row.time.running_us += times[t].running_us;
        row.time.waiting_us += times[t].waiting_us;
    }
    std::sort(path.begin(), path.end(), [&](int32 a, int32 b) { return std::tie(times[a].ended_us, a) < std::tie(times[b].ended_us, b); });
    const int64 makespan = end - start;
    row.detail["tasks"] = times.size();
    row.detail["makespan_seconds"] = seconds(makespan);
    if (makespan > 0) {
        const double share = std::min(1.0, static_cast<double>(row.time.queued_us) / static_cast<double>(makespan));
        row.detail["queueing_share"] = static_cast<double>(std::lround(share * 1000)) / 1000;
    }
    Json ids = Json::array();
    for (int32 t : path) ids.push_back(run.version->task(t).id);
    row.detail["critical_path"] = std::move(ids);
    return row;
}

}  // namespace

Explanation explain(Call &call, const RunId &id)
{
    Explanation result{look_at_run(call, id), {}};
    const RunLook &run = result.run;
    std::string states;
    for (const TaskLook &t : look_at_tasks(run)) states += t.state;
    const RunStory story = story_of(run);
    const std::vector<TaskTime> times = core::timeline(run.version->plan, story.moments, states, call.now());
    result.rows.push_back(of_run(run, times, call.now()));
    std::vector<int32> order(times.size());
    for (size_t t = 0; t < order.size(); t++) order[t] = static_cast<int32>(t);
    // Those that nothing is known of yet come last.
    std::stable_sort(order.begin(), order.end(), [&](int32 a, int32 b) {
        return std::tuple(!times[a].began, times[a].ready_us, run.version->task(a).level) <
               std::tuple(!times[b].began, times[b].ready_us, run.version->task(b).level);
    });
    for (int32 t : order) {
        const auto told = story.told.find(t);
        result.rows.push_back(
            {t, core::task_state_name(states[t]), times[t], detail_of(run.version->plan, t, times[t], told == story.told.end() ? TaskStory{} : told->second)});
    }
    return result;
}

}  // namespace orch::engine
