#include "engine/run_look.hpp"

namespace orch::engine {

namespace {

std::optional<TimestampTz> time_in(const pg::Rows &rows, uint64 row, int column)
{
    const std::optional<Datum> value = rows.maybe(row, column);
    return value ? std::optional(DatumGetTimestampTz(*value)) : std::nullopt;
}

}  // namespace

std::optional<RunLook> find_run(Call &call, const RunId &run)
{
    static pg::Statement select(
        "select r.version_id, r.state, coalesce(r.outcome, ''), r.priority, r.created_at, r.run_at, r.started_at, r.finished_at, r.deadline_at"
        " from _orch.run_{} r where r.run_id = $1 and r.tenant = $2",
        {UUIDOID, TEXTOID});
    if (!leaf_exists(day_of(run))) return std::nullopt;
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(call.tenant())));
    if (rows.empty()) return std::nullopt;
    return RunLook{run,
                   &version_of(rows.int4(0, 1)),
                   rows.letter(0, 2),
                   rows.letter(0, 3),
                   rows.int2(0, 4),
                   rows.time(0, 5),
                   time_in(rows, 0, 6),
                   time_in(rows, 0, 7),
                   time_in(rows, 0, 8),
                   time_in(rows, 0, 9)};
}

RunLook look_at_run(Call &call, const RunId &run)
{
    if (auto found = find_run(call, run)) return *found;
    throw pg::error{pg::unknown_run, "unknown run " + core::uuid_to_text(run), {}, "See orch.runs for those that exist."};
}

std::vector<TaskLook> look_at_tasks(const RunLook &run, bool all)
{
    static pg::Statement select(
        "select t.task_no, t.state, coalesce(t.worker_id, 0), t.attempt, t.attempts_before, t.priority, t.ready_at, t.started_at, t.finished_at, t.due_at,"
        " coalesce(t.route_id, 0), t.item from _orch.task_{} t where t.run_id = $1 and t.task_no < $2 order by t.task_no",
        {UUIDOID, INT4OID});
    const int32 end = all ? INT32_MAX : run.version->task_count();
    const pg::Rows rows = select.run_on(day_of(run.id), Parameters<2>().add(pg::uuid_datum(run.id)).add(Int32GetDatum(end)));
    std::vector<TaskLook> tasks(rows.empty() ? run.version->task_count() : std::max(run.version->task_count(), rows.int4(rows.count() - 1, 1) + 1));
    for (uint64 i = 0; i < rows.count(); i++)
        tasks.at(rows.int4(i, 1)) = {rows.letter(i, 2),   rows.int4(i, 3),     rows.int2(i, 4),      rows.int2(i, 5),  rows.int2(i, 6),  time_in(rows, i, 7),
                                     time_in(rows, i, 8), time_in(rows, i, 9), time_in(rows, i, 10), rows.int4(i, 11), rows.maybe(i, 12)};
    return tasks;
}

}  // namespace orch::engine
