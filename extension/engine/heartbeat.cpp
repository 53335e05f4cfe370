#include "engine/heartbeat.hpp"

#include "core/json.hpp"
#include "core/lease_text.hpp"
#include "engine/question.hpp"
#include "shared/database.hpp"

namespace orch::engine {

namespace {

constexpr size_t most_progress_bytes = 4096;

struct Telling {
    TaskRef task;
    int16 attempt;
    Datum progress;
};

// The limit is one of content: jsonb writes a blank behind each comma and colon.
bool progress_too_large(Datum progress)
{
    const std::string text = pg::json_text_of(progress);
    if (text.size() <= most_progress_bytes) return false;
    const auto parsed = core::parse(text, {.exact_integers = false});
    const auto *value = std::get_if<core::Json>(&parsed);
    return !value || core::to_text(*value).size() > most_progress_bytes;
}

void store_progress(Call &call, std::vector<Telling> told)
{
    // What is newer than a second is left as it is, and not even locked.
    static pg::Statement upsert("insert into _orch.progress_{} as p (run_id, at, task_no, attempt, progress)"
                                " select u.run_id, $5, u.task_no, u.attempt, u.progress from unnest($1::uuid[], $2::int4[], $3::int2[], $4::jsonb[]) u(run_id, "
                                "task_no, attempt, progress)"
                                " where not exists (select from _orch.progress_{} o where o.run_id = u.run_id and o.task_no = u.task_no and o.attempt = "
                                "u.attempt and o.at > $5 - interval '1 second' and o.at <= $5)"
                                " on conflict (run_id, task_no, attempt) do update set progress = excluded.progress, at = excluded.at",
                                {UUIDARRAYOID, INT4ARRAYOID, INT2ARRAYOID, JSONBARRAYOID, TIMESTAMPTZOID});
    std::sort(told.begin(), told.end(), [](const Telling &a, const Telling &b) { return a.task < b.task; });
    by_day(
        told, [](const Telling &t) { return day_of(t.task.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID), attempt(INT2OID), progress(JSONBOID);
            for (size_t i = first; i < last; i++) {
                run.add(told[i].task.run);
                task_no.add(Int32GetDatum(told[i].task.task_no));
                attempt.add(Int16GetDatum(told[i].attempt));
                progress.add(told[i].progress);
            }
            upsert.run_on(day, Parameters<5>().add(run.array()).add(task_no.array()).add(attempt.array()).add(progress.array()).add(time_datum(call.now())));
        });
}

}  // namespace

std::vector<Beat> heartbeat(Call &call, const WorkerIdentity &worker, std::optional<Datum> details)
{
    const bool names = details && !pg::is_json_null(*details);
    if (names && !pg::is_object(*details))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "details must be a JSON object", {}, "Write {\"LEASE\": PROGRESS}, or {\"LEASE\": null} to ask only."};
    // Leases that the rows hold are not lost because memory has not read them yet.
    if (shared::phase() == shared::Phase::closed || shared::phase() == shared::Phase::rebuilding) require_open();

    std::vector<shared::HeldLease> held;
    shared::heartbeat(worker.slot, held);
    std::vector<Beat> beats;
    std::map<std::string, size_t, std::less<>> places;
    for (const shared::HeldLease &h : held) {
        beats.push_back({core::encode_lease({h.task.run, h.task.task_no, h.attempt, static_cast<uint64>(h.token)}), h.cancel ? "cancel" : "ok"});
        if (names) places.emplace(beats.back().lease, places.size());
    }
    if (!names) return beats;

    std::vector<Telling> told;
    for (const std::string &lease : pg::keys_of(*details)) {
        const auto place = places.find(lease);
        if (place == places.end()) {
            beats.push_back({lease, "lost"});
            continue;
        }
        const Datum progress = *pg::member(*details, lease);
        const shared::HeldLease &h = held[place->second];
        if (pg::is_json_null(progress) || is_question(h.task)) continue;
        if (!progress_too_large(progress)) told.push_back({h.task, h.attempt, progress});
        else if (!h.cancel) beats[place->second].status = "too_large";
    }
    if (!told.empty()) store_progress(call, std::move(told));
    return beats;
}

std::map<TaskRef, Datum> progress_before(std::vector<TaskRef> tasks)
{
    static pg::Statement select("select p.run_id, p.task_no, p.progress from unnest($1::uuid[], $2::int4[]) u(run_id, task_no) cross join lateral ("
                                " select i.run_id, i.task_no, i.progress from _orch.progress_{} i where i.run_id = u.run_id and i.task_no = u.task_no"
                                " order by i.attempt desc limit 1) p",
                                {UUIDARRAYOID, INT4ARRAYOID});
    std::map<TaskRef, Datum> found;
    by_day(
        tasks, [](const TaskRef &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID);
            for (size_t i = first; i < last; i++) {
                run.add(tasks[i].run);
                task_no.add(Int32GetDatum(tasks[i].task_no));
            }
            const pg::Rows rows = select.run_on(day, Parameters<2>().add(run.array()).add(task_no.array()));
            for (uint64 i = 0; i < rows.count(); i++) found.emplace(TaskRef{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)}, rows.get(i, 3));
        });
    return found;
}

void forget_progress(const RunId &run, int32 first_finally_task, std::optional<int32> with_other_input)
{
    static pg::Statement remove("delete from _orch.progress_{} p using _orch.task_{} t where p.run_id = $1 and t.run_id = $1 and t.task_no = p.task_no"
                                " and ((t.task_no >= $2 and t.state = 'S') or t.task_no = $3)",
                                {UUIDOID, INT4OID, INT4OID});
    remove.run_on(day_of(run),
                  Parameters<3>().add(pg::uuid_datum(run)).add(Int32GetDatum(first_finally_task)).add(Int32GetDatum(with_other_input.value_or(-1))));
}

}  // namespace orch::engine
