// Runs that could not start when they were triggered: their time had not come, or their workflow had no place.
#include "core/state_changes.hpp"
#include "engine/advance.hpp"
#include "engine/pauses.hpp"
#include "engine/progress.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

namespace {

constexpr int64 uncounted_us = 1'000'000;
constexpr int64 admitted_at_once = 100;

struct Waiting {
    char state;
    const Version *version;
    int16 priority;
    TimestampTz created_at;
    std::optional<TimestampTz> run_at;
    std::optional<int64> timeout_us;
};

// Nothing where the row is locked or the run does not wait to start.
std::optional<Waiting> lock_waiting(const RunId &run)
{
    static pg::Statement select("select r.state, r.version_id, r.priority, r.created_at, r.run_at, r.timeout_us from _orch.run_{} r where r.run_id = $1 and "
                                "r.state in ('q', 'd') for update skip locked",
                                {UUIDOID});
    pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return std::nullopt;
    Waiting w{rows.letter(0, 1), &version_of(rows.int4(0, 2)), rows.int2(0, 3), rows.time(0, 4), {}, {}};
    if (auto at = rows.maybe(0, 5)) w.run_at = DatumGetTimestampTz(*at);
    if (auto us = rows.maybe(0, 6)) w.timeout_us = DatumGetInt64(*us);
    return w;
}

// Its place in the line, where a run that could not be locked waits to start.
std::optional<int64> still_waits(const RunId &run)
{
    static pg::Statement select("select r.created_at, r.priority from _orch.run_{} r where r.run_id = $1 and r.state in ('q', 'd')", {UUIDOID});
    pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return std::nullopt;
    return sort_key(rows.time(0, 1), rows.int2(0, 2));
}

void begin(Call &call, const RunId &run, const Waiting &w)
{
    static_assert(core::run_goes(core::run_state::queued, core::run_state::running, EventKind::run_started) &&
                  core::run_goes(core::run_state::scheduled, core::run_state::running, EventKind::run_started));
    static pg::Statement update("update _orch.run_{} set state = 'r', started_at = $2, deadline_at = $3, no = no + 1 where run_id = $1 returning no",
                                {UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID});
    const Version &version = *w.version;
    int64 timeout = static_cast<int64>(version.plan.timeout_seconds * USECS_PER_SEC);
    if (w.timeout_us) timeout = *w.timeout_us;
    std::optional<Datum> deadline;
    if (timeout > 0) {
        deadline = time_datum(call.now() + timeout);
        shared::on_commit_timer(call.now() + timeout, {run, run_itself}, shared::TimerKind::run_deadline);
    }
    pg::Rows rows = update.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(time_datum(call.now())).add(deadline));
    call.events().add({run, run_itself, rows.int4(0, 1), EventKind::run_started, 0, call.engine_actor()});
    shared::on_commit_run_state(w.state, core::run_state::running);
    if (version.counted()) shared::on_commit_counters(run, version.plan.main_count, version.plan.join_count);
    shared::on_commit_advance({run, run_itself});
}

void queue(Call &call, const RunId &run, const Waiting &w)
{
    static_assert(core::run_goes(core::run_state::scheduled, core::run_state::queued, EventKind::run_queued));
    static pg::Statement update("update _orch.run_{} set state = 'q', no = no + 1 where run_id = $1 returning no", {UUIDOID});
    const pg::Rows rows = update.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    call.events().add({run, run_itself, rows.int4(0, 1), EventKind::run_queued, 0, call.engine_actor()});
    shared::on_commit_run_state(w.state, core::run_state::queued);
    queue_for_admission(*w.version, run, call.now(), w.priority);
}

// Queued runs that memory had no room for.
bool refill_admission(const Version &version, int slot)
{
    static pg::Statement scan("select r.run_id, r.created_at, r.priority from _orch.run_{} r join _orch.version v on v.version_id = r.version_id"
                              " where r.run_id >= $1 and r.state = 'q' and v.workflow_id = $2 order by r.run_id limit $3",
                              {UUIDOID, INT4OID, INT8OID});
    RunId from;
    if (!shared::refill_begin(slot, from)) return false;
    bool found = false;
    for (int day : leaf_days()) {
        if (day < day_of(from) || !lock_leaf(day)) continue;
        pg::Rows rows =
            scan.run_on(day, Parameters<3>().add(pg::uuid_datum(from)).add(Int32GetDatum(version.workflow_id)).add(Int64GetDatum(admitted_at_once)));
        RunId reached = from;
        for (uint64 i = 0; i < rows.count(); i++) {
            reached = pg::uuid_of(rows.get(i, 1));
            if (!shared::refill_push(slot, {reached, run_itself}, sort_key(rows.time(i, 2), rows.int2(i, 3)))) {
                shared::refill_end(slot, reached);
                return found;
            }
            found = true;
        }
        if (rows.count() == static_cast<uint64>(admitted_at_once)) {
            shared::refill_end(slot, reached);
            return true;
        }
    }
    shared::refill_end(slot, shared::no_run);
    return found;
}

}  // namespace

void start_run(Call &call, const RunId &run)
{
    if (!leaf_exists(day_of(run))) return;
    const std::optional<Waiting> w = lock_waiting(run);
    if (!w) {
        if (still_waits(run)) shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, shared::TimerKind::run_at);
        return;
    }
    if (w->state == core::run_state::queued) return;
    if (w->run_at && *w->run_at > call.now()) return shared::on_commit_timer(*w->run_at, {run, run_itself}, shared::TimerKind::run_at);
    const int limit = w->version->plan.max_active_runs;
    if (limit > 0 && !shared::active_take(w->version->workflow_id, limit)) queue(call, run, *w);
    else begin(call, run, *w);
}

void admit(Call &call, int32 workflow_id)
{
    static pg::Statement select("select w.version_id from _orch.workflow w where w.workflow_id = $1", {INT4OID});
    pg::Rows rows = select.run(Parameters<1>().add(Int32GetDatum(workflow_id)));
    if (rows.empty()) return;
    const Version &latest = version_of(rows.int4(0, 1));
    const int slot = admission_slot(latest);
    for (int64 i = 0; i < admitted_at_once; i++) {
        TaskRef task;
        if (!shared::take_ready_of_route(slot, 1, &task) && (!refill_admission(latest, slot) || !shared::take_ready_of_route(slot, 1, &task))) return;
        const std::optional<Waiting> w = lock_waiting(task.run);
        if (!w) {
            // Somebody holds its row and may let go of it without a change, when no run is left whose end would ask again: so we do.
            if (const std::optional<int64> key = still_waits(task.run)) {
                shared::on_commit_ready(task, slot, *key);
                shared::on_commit_timer(call.now() + look_again_us, {admission, workflow_id}, shared::TimerKind::run_at);
            }
            continue;
        }
        // The limit is that of the run's own version, as at its trigger.
        const int limit = w->version->plan.max_active_runs;
        if (limit > 0 && !shared::active_take(workflow_id, limit)) {
            // No place after all: it keeps its own in the line, and the next run that ends asks again.
            shared::on_commit_ready(task, slot, sort_key(w->created_at, w->priority));
            // With the table of counts full of other workflows it has none whose end would ask.
            if (shared::active(workflow_id) <= 0) shared::on_commit_timer(call.now() + uncounted_us, {admission, workflow_id}, shared::TimerKind::run_at);
            return;
        }
        begin(call, task.run, *w);
    }
    shared::on_commit_advance({admission, workflow_id});
}

}  // namespace orch::engine
