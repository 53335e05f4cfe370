#include "engine/why_facts.hpp"

#include "core/problem.hpp"
#include "core/states.hpp"
#include "shared/database.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;

constexpr size_t most_shown = 1000;  // rows of one answer: a graph of a hundred thousand tasks has its views

// Among those that code made the newest of that id.
int32 find_made(const std::vector<TaskLook> &tasks, int32 planned, const std::string &id)
{
    for (auto t = static_cast<int32>(tasks.size()) - 1; t >= planned; t--)
        if (tasks[t].item && pg::text_member(*tasks[t].item, "id") == id) return t;
    return -1;
}

int32 find_task(const RunLook &run, const std::vector<TaskLook> &tasks, const std::string &id)
{
    int32 task = run.version->plan.find(id);
    if (task < 0) task = find_made(tasks, run.version->task_count(), id);
    if (task < 0)
        throw pg::error{ERRCODE_UNDEFINED_OBJECT,
                        "workflow " + core::in_quotes(run.version->workflow) + " has no task " + core::in_quotes(id),
                        {},
                        "See orch.plan for its tasks."};
    return task;
}

// Those that do something or went wrong come first: what waits for them is told by them.
std::vector<int32> worth_telling(const std::vector<TaskLook> &tasks)
{
    std::vector<int32> chosen;
    for (const std::string_view letters : {"yrdwFT", "pKUC"})
        for (size_t t = 0; t < tasks.size() && chosen.size() < most_shown; t++)
            if (letters.find(tasks[t].state) != std::string_view::npos) chosen.push_back(static_cast<int32>(t));
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

Datum numbers(const std::vector<int32> &values)
{
    pg::Column column(INT4OID);
    for (int32 v : values) column.add(Int32GetDatum(v));
    return column.array();
}

void read_errors(WhyFacts &facts, const std::vector<int32> &tasks)
{
    static pg::Statement select("select e.task_no, e.kind, case when e.kind = 21 then e.payload -> 'error' else e.payload end"
                                " from unnest($2::int4[]) u(task_no) cross join lateral ("
                                "  select i.task_no, i.kind, i.payload from _orch.event_{} i where i.run_id = $1 and i.task_no = u.task_no and i.kind in (21, "
                                "24, 25, 26, 28) order by i.no desc limit 1) e",
                                {UUIDOID, INT4ARRAYOID});
    std::vector<int32> wanted;
    for (int32 t : tasks)
        if (std::string_view("dFTCK").find(facts.tasks[t].state) != std::string_view::npos) wanted.push_back(t);
    if (wanted.empty()) return;
    const pg::Rows rows = select.run_on(day_of(facts.run.id), Parameters<2>().add(pg::uuid_datum(facts.run.id)).add(numbers(wanted)));
    for (uint64 i = 0; i < rows.count(); i++) {
        TaskError error{static_cast<EventKind>(rows.int2(i, 2)), {}, {}, {}};
        if (auto payload = rows.maybe(i, 3); payload && pg::is_object(*payload)) {
            error.error_class = pg::text_member(*payload, "class").value_or("");
            error.code = pg::text_member(*payload, "code").value_or("");
            error.message = pg::text_member(*payload, error.kind == EventKind::task_skipped ? "reason" : "message").value_or("");
        } else if (error.kind == EventKind::task_skipped) continue;  // by its rule or condition
        facts.errors.emplace(rows.int4(i, 1), std::move(error));
    }
}

void read_dead_letters(WhyFacts &facts)
{
    static pg::Statement select("select d.task_no, max(d.id) from _orch.dead_letter d where d.run_id = $1 and d.resolution is null group by d.task_no",
                                {UUIDOID});
    const pg::Rows rows = select.run(Parameters<1>().add(pg::uuid_datum(facts.run.id)));
    for (uint64 i = 0; i < rows.count(); i++) facts.dead_letters.emplace(rows.int4(i, 1), rows.int8(i, 2));
}

void read_workers(WhyFacts &facts, const std::vector<int32> &tasks)
{
    static pg::Statement select("select w.worker_id, w.worker from _orch.worker w where w.worker_id = any($1)", {INT4ARRAYOID});
    std::vector<int32> wanted;
    for (int32 t : tasks)
        if (facts.tasks[t].worker_id > 0) wanted.push_back(facts.tasks[t].worker_id);
    if (wanted.empty()) return;
    const pg::Rows rows = select.run(Parameters<1>().add(numbers(wanted)));
    for (uint64 i = 0; i < rows.count(); i++) facts.workers.emplace(rows.int4(i, 1), rows.text(i, 2));
}

void read_who_is_there(WhyFacts &facts)
{
    static pg::Statement select(
        "select w.worker_id, w.worker, w.queues, coalesce(w.handlers, array[':command', ':http']) from _orch.worker w where w.worker_id "
        "= any($1) and w.tenant in ($2, '')",
        {INT4ARRAYOID, TEXTOID});
    std::vector<int32> ids;
    std::map<int32, shared::WorkerStatus> status;
    for (shared::WorkerStatus &s : shared::worker_status()) {
        ids.push_back(s.worker_id);
        status.emplace(s.worker_id, std::move(s));
    }
    if (ids.empty()) return;
    const pg::Rows rows = select.run(Parameters<2>().add(numbers(ids)).add(pg::text_datum(facts.run.version->tenant)));
    for (uint64 i = 0; i < rows.count(); i++) {
        const int32 id = rows.int4(i, 1);
        facts.there.emplace(id, WorkerLook{status.at(id), rows.text(i, 2), pg::texts_of(rows.get(i, 3), "queues"), pg::texts_of(rows.get(i, 4), "handlers")});
    }
}

}  // namespace

WhyFacts gather_facts(Call &call, const RunId &id, const std::optional<std::string> &task, std::vector<int32> &asked)
{
    WhyFacts facts{look_at_run(call, id), {}, call.now(), {}, {}, {}, {}, {}, shared::steward_pid() != 0, shared::steward_late_us()};
    facts.tasks = look_at_tasks(facts.run, true);
    asked = task ? std::vector<int32>{find_task(facts.run, facts.tasks, *task)} : worth_telling(facts.tasks);
    read_errors(facts, asked);
    read_dead_letters(facts);
    read_workers(facts, asked);
    const auto any_is = [&](char state) { return std::any_of(asked.begin(), asked.end(), [&](int32 t) { return facts.tasks[t].state == state; }); };
    if (any_is(ready) || any_is(running)) read_who_is_there(facts);
    if (any_is(ready))
        for (shared::RouteStatus &status : shared::route_status()) facts.routes.emplace(status.route_id, std::move(status));
    return facts;
}

std::string engine_trouble(const WhyFacts &facts)
{
    constexpr int64 late_us = 10 * USECS_PER_SEC;  // a turn may take a moment, and so may the pause after an error
    if (!facts.steward_runs) return "The engine's steward does not run.";
    if (facts.steward_late_us >= late_us) return "The engine's steward has been wanted for " + span(facts.steward_late_us) + " and has not come.";
    return {};
}

std::string named(const WhyFacts &facts, const std::vector<int32> &tasks)
{
    constexpr size_t most = 10;
    std::string text;
    for (size_t i = 0; i < tasks.size() && i < most; i++) {
        if (i > 0) text += i + 1 == tasks.size() ? " and " : ", ";
        text += core::in_quotes(facts.plan_of(tasks[i]).id) + " (" + std::string(core::task_state_name(facts.tasks[tasks[i]].state)) + ")";
    }
    if (tasks.size() > most) text += " and " + std::to_string(tasks.size() - most) + " more";
    return text;
}

std::string span(int64 us)
{
    const int64 ms = us / 1000, s = ms / 1000;
    if (ms < 10'000) return std::to_string(ms) + " ms";
    if (s < 120) return std::to_string(s) + " s";
    if (s < 7'200) return std::to_string(s / 60) + " min";
    if (s < 172'800) return std::to_string(s / 3600) + " h";
    return std::to_string(s / 86'400) + " days";
}

std::string moment(const WhyFacts &facts, TimestampTz at)
{
    const char *stamp = nullptr;
    pg::call_pg([&] { stamp = pstrdup(timestamptz_to_str(at)); });
    return std::string(stamp) + (at >= facts.now ? ", in " + span(at - facts.now) : ", " + span(facts.now - at) + " ago");
}

std::string sql_quoted(std::string_view text)
{
    std::string quoted = "'";
    for (char c : text) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace orch::engine
