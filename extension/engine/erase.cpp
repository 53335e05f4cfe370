#include "engine/erase.hpp"

#include "core/state_changes.hpp"
#include "engine/audit.hpp"
#include "engine/run_row.hpp"

namespace orch::engine {

namespace {

constinit bool history_open = false;

// Around single statements of ours. They run no code of a user's, and an error of theirs arrives as an exception.
struct OpenHistory {
    OpenHistory() { history_open = true; }
    ~OpenHistory() { history_open = false; }
};

// What there was, by the table that held it.
struct Counts {
    int64 tasks = 0, events = 0, log_lines = 0, dead_letters = 0;
};

RunRow lock_ended_run(Call &call, const RunId &run, const std::string &verb, const std::string &reason)
{
    if (reason.find_first_not_of(" \t\r\n") == std::string::npos)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "reason may not be empty", {}, "Say why, for those who read orch.audit later."};
    const RunRow row = lock_run_row(call, run);
    if (!core::is_final(row.state))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " is " + std::string(core::run_state_name(row.state)),
                        "Only a run that is over can be " + verb + ".", "Cancel it with orch.cancel, and wait for its end with CALL orch.await_run."};
    // Its parent takes the result from here.
    static pg::Statement parent_of("select parent_run_id from _orch.run_{} where run_id = $1 and parent_run_id is not null", {UUIDOID});
    static pg::Statement state_of("select state from _orch.run_{} where run_id = $1", {UUIDOID});
    pg::Rows rows = parent_of.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return row;
    const RunId parent = pg::uuid_of(rows.get(0, 1));
    if (!leaf_exists(day_of(parent))) return row;
    rows = state_of.run_on(day_of(parent), Parameters<1>().add(pg::uuid_datum(parent)));
    if (!rows.empty() && !core::is_final(rows.letter(0, 1)))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " belongs to a run that is " + std::string(core::run_state_name(rows.letter(0, 1))),
                        "It was started by run " + core::uuid_to_text(parent) + ".", "Wait for the end of that run, or cancel it."};
    return row;
}

int64 change(pg::Statement &statement, const RunId &run, std::optional<Datum> tombstone = {})
{
    Parameters<2> parameters;
    parameters.add(pg::uuid_datum(run));
    if (tombstone) parameters.add(*tombstone);
    statement.run_on(day_of(run), parameters);
    return static_cast<int64>(statement.processed());
}

void audit_run(Call &call, std::string_view action, const RunId &run, const RunRow &row, const std::string &reason, const Counts &counts)
{
    const Version &version = version_of(row.version_id);
    audit(call, {.action = action,
                 .tenant = version.tenant,
                 .run = run,
                 .workflow = version.workflow,
                 .reason = reason,
                 .details = {{"state", core::run_state_name(row.state)},
                             {"tasks", counts.tasks},
                             {"events", counts.events},
                             {"log_lines", counts.log_lines},
                             {"dead_letters", counts.dead_letters}}});
}

Datum tombstone_of(Call &call, const std::string &reason)
{
    static pg::Statement make("select pg_catalog.jsonb_build_object('erased', pg_catalog.jsonb_build_object('at', $1, 'by', $2, 'reason', $3))",
                              {TIMESTAMPTZOID, TEXTOID, TEXTOID});
    return make.run(Parameters<3>().add(time_datum(call.now())).add(call.role_actor()).add(pg::text_datum(reason))).get(0, 1);
}

bool is_erased(const RunId &run)
{
    static pg::Statement select("select 1 from _orch.audit a where a.run_id = $1 and a.action = 'erase'", {UUIDOID});
    return !select.run(Parameters<1>().add(pg::uuid_datum(run))).empty();
}

}  // namespace

bool history_is_open() { return history_open; }

void delete_run(Call &call, const RunId &run, const std::string &reason)
{
    static pg::Statement key("delete from _orch.idempotency i using _orch.run_{} r join _orch.version v on v.version_id = r.version_id"
                             " where r.run_id = $1 and i.workflow_id = v.workflow_id and i.key = r.idempotency_key and i.run_id = r.run_id",
                             {UUIDOID});
    static pg::Statement letters("delete from _orch.dead_letter where run_id = $1", {UUIDOID});
    static pg::Statement delivery("delete from _orch.delivery where run_id = $1", {UUIDOID});
    static pg::Statement parked("delete from _orch.parked_run where run_id = $1", {UUIDOID});
    static pg::Statement lines("delete from _orch.log_{} where run_id = $1", {UUIDOID}), signals("delete from _orch.signal_{} where run_id = $1", {UUIDOID}),
        updates("delete from _orch.update_{} where run_id = $1", {UUIDOID}), progress("delete from _orch.progress_{} where run_id = $1", {UUIDOID}),
        tasks("delete from _orch.task_{} where run_id = $1", {UUIDOID}), rows("delete from _orch.run_{} where run_id = $1", {UUIDOID}),
        events("delete from _orch.event_{} where run_id = $1", {UUIDOID});
    const RunRow row = lock_ended_run(call, run, "deleted", reason);
    Counts counts;
    change(key, run);
    letters.run(Parameters<1>().add(pg::uuid_datum(run)));
    counts.dead_letters = static_cast<int64>(letters.processed());
    parked.run(Parameters<1>().add(pg::uuid_datum(run)));
    delivery.run(Parameters<1>().add(pg::uuid_datum(run)));
    counts.log_lines = change(lines, run);
    change(progress, run);
    change(signals, run);
    change(updates, run);
    counts.tasks = change(tasks, run);
    change(rows, run);
    {
        const OpenHistory open;
        counts.events = change(events, run);
    }
    audit_run(call, "delete_run", run, row, reason, counts);
}

bool erase(Call &call, const RunId &run, const std::string &reason)
{
    // The engine's own words stay, since the history is folded by some of them: of the facts those named below; which run a task started, which signal it got; when a timer is due, what a refused settle was told, the delay of a retry and the class of its error, by which orch.attempts tells a timeout.
    static pg::Statement events("update _orch.event_{} set payload = case when payload is null or kind in (40, 41, 43, 50, 51, 61, 64) then payload"
                                "  when kind = 21 then payload || pg_catalog.jsonb_build_object('error', pg_catalog.jsonb_strip_nulls("
                                "   pg_catalog.jsonb_build_object('class', payload #> '{error,class}')) || $2)"
                                "  else $2 end,"
                                " facts = case when facts - $3 = '{}' then facts else (select coalesce(pg_catalog.jsonb_object_agg(f.key, f.value), '{}')"
                                "  from pg_catalog.jsonb_each(facts) f where f.key = any($3)) || $2 end"
                                " where run_id = $1 and (facts is not null or payload is not null and kind not in (40, 41, 43, 50, 51, 61, 64))",
                                {UUIDOID, JSONBOID, TEXTARRAYOID});
    static pg::Statement tasks("update _orch.task_{} set item = case when item is not null then $2 end, input = case when input is not null then $2 end"
                               " where run_id = $1 and (item is not null or input is not null)",
                               {UUIDOID, JSONBOID});
    // A definition that code made is asked for its id, executor and retries as long as its row is there.
    static pg::Statement tasks_of_code(
        "update _orch.task_{} t set input = case when t.input is not null then $2 end, item = (select pg_catalog.jsonb_object_agg("
        "  i.key, case when i.key in ('command', 'http', 'callable', 'env', 'metadata', 'fallback', 'tags') then $2 else i.value end)"
        "  from pg_catalog.jsonb_each(t.item) i)"
        " where run_id = $1 and (item is not null or input is not null)",
        {UUIDOID, JSONBOID});
    static pg::Statement rows("update _orch.run_{} set tags = $2 where run_id = $1 and tags is not null", {UUIDOID, JSONBOID});
    static pg::Statement lines("update _orch.log_{} set line = '(erased)' where run_id = $1", {UUIDOID});
    static pg::Statement progress("update _orch.progress_{} set progress = $2 where run_id = $1", {UUIDOID, JSONBOID});
    // Those that are open can never be redriven.
    static pg::Statement letters(
        "update _orch.dead_letter set error = $2, resolution = coalesce(resolution, 'discarded'), resolved_at = coalesce(resolved_at, $3),"
        " resolved_by = coalesce(resolved_by, $4) where run_id = $1",
        {UUIDOID, JSONBOID, TIMESTAMPTZOID, TEXTOID});
    const RunRow row = lock_ended_run(call, run, "erased", reason);
    if (is_erased(run)) return false;
    const Datum tombstone = tombstone_of(call, reason);
    Counts counts;
    letters.run(Parameters<4>().add(pg::uuid_datum(run)).add(tombstone).add(time_datum(call.now())).add(pg::text_datum(deed_name(call.caller()))));
    counts.dead_letters = static_cast<int64>(letters.processed());
    counts.log_lines = change(lines, run);
    change(progress, run, tombstone);
    counts.tasks = change(version_of(row.version_id).is_code() ? tasks_of_code : tasks, run, tombstone);
    change(rows, run, tombstone);
    {
        const OpenHistory open;
        pg::Column kept(TEXTOID);
        for (const char *key : {"state", "id", "seen", "fallback", "circuit"}) kept.add(pg::text_datum(key));
        events.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(tombstone).add(kept.array()));
        counts.events = static_cast<int64>(events.processed());
    }
    audit_run(call, "erase", run, row, reason, counts);
    return true;
}

void refuse_erased(const RunId &run)
{
    if (is_erased(run))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " was erased", "Its input is gone, so it cannot be run again.",
                        "Trigger a new run; orch.audit tells who erased this one."};
}

}  // namespace orch::engine
