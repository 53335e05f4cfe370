#include "engine/reopen.hpp"

#include "core/state_changes.hpp"
#include "engine/code_run.hpp"
#include "engine/erase.hpp"
#include "engine/heartbeat.hpp"
#include "engine/progress.hpp"
#include "engine/run_look.hpp"
#include "engine/run_row.hpp"

namespace orch::engine {

namespace {

// How many parents of each join keep a final state through the reopening.
std::vector<shared::JoinCount> kept_counts(const Version &version, const std::vector<char> &states, int32 &open)
{
    std::vector<shared::JoinCount> joins(version.plan.join_count);
    open = 0;
    for (int32 t = 0; t < version.plan.main_count; t++) {
        if (!core::is_final(states[t])) {
            open++;
            continue;
        }
        for (int32 child : version.task(t).children) {
            if (const int32 join = version.task(child).join_no; join >= 0) {
                if (states[t] == core::task_state::skipped) joins[join].skipped++;
                else joins[join].succeeded++;
            }
        }
    }
    // A join that is over itself has fired.
    for (int32 t = 0; t < version.plan.main_count; t++)
        if (const int32 join = version.task(t).join_no; join >= 0) joins[join].fired = core::is_final(states[t]);
    return joins;
}

// Task rows back to pending; returns the states that all tasks have now.
std::vector<char> reset_tasks(const RunId &run, const Version &version)
{
    static_assert(core::is_reset_by_reopening(core::task_state::failed, false) && core::is_reset_by_reopening(core::task_state::timed_out, false) &&
                  core::is_reset_by_reopening(core::task_state::upstream_failed, false) && core::is_reset_by_reopening(core::task_state::cancelled, false) &&
                  !core::is_reset_by_reopening(core::task_state::succeeded, false) && !core::is_reset_by_reopening(core::task_state::skipped, false));
    static pg::Statement update(
        "update _orch.task_{} set state = 'p', attempts_before = attempt, output_no = null, finished_at = null, due_at = null, token = null"
        " where run_id = $1 and task_no < $3 and (state in ('F', 'T', 'U', 'C') or task_no >= $2)",
        {UUIDOID, INT4OID, INT4OID});
    static pg::Statement select("select t.task_no, t.state from _orch.task_{} t where t.run_id = $1 and t.task_no < $2", {UUIDOID, INT4OID});
    const Datum planned = Int32GetDatum(version.task_count());
    update.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(Int32GetDatum(version.plan.main_count)).add(planned));
    pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(planned));
    std::vector<char> states(version.task_count(), core::task_state::pending);
    for (uint64 i = 0; i < rows.count(); i++) states[rows.int4(i, 1)] = rows.letter(i, 2);
    return states;
}

std::vector<Redriven> resolve_dead_letters(Call &call, const RunId &run, const Version &version)
{
    static pg::Statement update(
        "update _orch.dead_letter set resolution = 'redriven', resolved_at = $2, resolved_by = $3 where run_id = $1 and resolution is null returning task_no",
        {UUIDOID, TIMESTAMPTZOID, TEXTOID});
    pg::Rows rows = update.run(Parameters<3>().add(pg::uuid_datum(run)).add(time_datum(call.now())).add(pg::text_datum(deed_name(call.caller()))));
    std::vector<Redriven> redriven;
    for (uint64 i = 0; i < rows.count(); i++) redriven.push_back({run, version.task(rows.int4(i, 1)).id});
    std::sort(redriven.begin(), redriven.end(), [](const Redriven &a, const Redriven &b) { return a.task_id < b.task_id; });
    return redriven;
}

std::vector<Redriven> reopen(Call &call, const RunId &run, const RunRow &row, std::optional<int32> with_other_input)
{
    static pg::Statement update("update _orch.run_{} set state = 'r', outcome = null, finished_at = null, started_at = coalesce(started_at, $2), deadline_at = "
                                "$3, no = no + 1 where run_id = $1 returning no",
                                {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID});
    const Version &version = version_of(row.version_id);
    require_open();
    refuse_erased(run);
    ForceSyncCommit();
    forget_progress(run, version.plan.main_count, with_other_input);
    if (version.is_code()) reopen_code_rows(call, run, version);
    const std::vector<char> states = reset_tasks(run, version);
    std::optional<Datum> deadline;
    const int64 timeout = row.timeout_us.value_or(static_cast<int64>(version.plan.timeout_seconds * USECS_PER_SEC));
    if (timeout > 0) {
        const TimestampTz due = call.now() + timeout;
        deadline = time_datum(due);
        shared::on_commit_timer(due, {run, run_itself}, shared::TimerKind::run_deadline);
    }
    pg::Rows rows = update.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(time_datum(call.now())).add(deadline));
    call.events().add({run, run_itself, rows.int4(0, 1), EventKind::run_reopened, 0, call.role_actor()});
    shared::on_commit_run_state(row.state, core::run_state::running);
    if (version.counted()) {
        int32 open = 0;
        const std::vector<shared::JoinCount> joins = kept_counts(version, states, open);
        shared::on_commit_counters(run, open, joins);
    }
    // A person asked for this very run: it does not wait for a place, but it takes one.
    if (version.plan.max_active_runs > 0) shared::on_commit_active(version.workflow_id, 1);
    shared::on_commit_advance({run, run_itself});
    return resolve_dead_letters(call, run, version);
}

struct DeadLetter {
    RunId run;
    int32 task_no;
    std::optional<std::string> resolution;
};

DeadLetter dead_letter_of(Call &call, int64 id)
{
    static pg::Statement select("select run_id, task_no, resolution from _orch.dead_letter where id = $1", {INT8OID});
    pg::Rows rows = select.run(Parameters<1>().add(Int64GetDatum(id)));
    // Numbers are easily guessed: nothing is said of those of other tenants, nor of their runs.
    if (rows.empty() || !find_run(call, pg::uuid_of(rows.get(0, 1))))
        throw pg::error{ERRCODE_UNDEFINED_OBJECT, "there is no dead letter " + std::to_string(id), {}, "See orch.dead_letters for those that exist."};
    DeadLetter letter{pg::uuid_of(rows.get(0, 1)), rows.int4(0, 2), std::nullopt};
    if (!rows.is_null(0, 3)) letter.resolution = rows.text(0, 3);
    return letter;
}

DeadLetter open_dead_letter(Call &call, int64 id)
{
    DeadLetter letter = dead_letter_of(call, id);
    if (letter.resolution) throw pg::error{pg::wrong_state, "dead letter " + std::to_string(id) + " was " + *letter.resolution + " before", {}, {}};
    return letter;
}

}  // namespace

std::string_view retry(Call &call, const RunId &run)
{
    const RunRow row = lock_run_row(call, run);
    if (!core::counts_as_failed(row.state))
        throw pg::error{pg::wrong_state,
                        "run " + core::uuid_to_text(run) + " is " + std::string(core::run_state_name(row.state)),
                        "Only a run that failed, timed out or was cancelled can be retried.",
                        {}};
    reopen(call, run, row, std::nullopt);
    return core::run_state_name(core::run_state::running);
}

std::vector<Redriven> redrive(Call &call, int64 dead_letter, std::optional<Datum> input)
{
    static pg::Statement give_input("update _orch.task_{} set input = $3 where run_id = $1 and task_no = $2", {UUIDOID, INT4OID, JSONBOID});
    refuse_erased(dead_letter_of(call, dead_letter).run);
    const DeadLetter letter = open_dead_letter(call, dead_letter);
    // The run's row first, as everybody does; then the letter once more, since another redrive may have come before.
    const RunRow row = lock_run_row(call, letter.run);
    open_dead_letter(call, dead_letter);
    if (!core::is_final(row.state))
        throw pg::error{pg::wrong_state, "the run of dead letter " + std::to_string(dead_letter) + " is " + std::string(core::run_state_name(row.state)),
                        "A run is reopened when it is over.", "Wait for it with CALL orch.await_run, or cancel it."};
    if (input) give_input.run_on(day_of(letter.run), Parameters<3>().add(pg::uuid_datum(letter.run)).add(Int32GetDatum(letter.task_no)).add(*input));
    return reopen(call, letter.run, row, input ? std::optional(letter.task_no) : std::nullopt);
}

void discard(Call &call, int64 dead_letter)
{
    static pg::Statement update(
        "update _orch.dead_letter set resolution = 'discarded', resolved_at = $2, resolved_by = $3 where id = $1 and resolution is null",
        {INT8OID, TIMESTAMPTZOID, TEXTOID});
    const DeadLetter letter = open_dead_letter(call, dead_letter);
    lock_run_row(call, letter.run);
    open_dead_letter(call, dead_letter);
    update.run(Parameters<3>().add(Int64GetDatum(dead_letter)).add(time_datum(call.now())).add(pg::text_datum(deed_name(call.caller()))));
}

}  // namespace orch::engine
