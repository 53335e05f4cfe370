// What the steward does when time has passed: timers, and leases whose worker was not heard of.
#include "core/states.hpp"
#include "engine/advance.hpp"
#include "engine/child.hpp"
#include "engine/inline_task.hpp"
#include "engine/pauses.hpp"
#include "engine/progress.hpp"
#include "engine/question.hpp"
#include "engine/settle.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/upkeep.hpp"
#include "engine/waits.hpp"
#include "pg/isolated.hpp"
#include "shared/settings.hpp"

#include <set>

namespace orch::engine {

namespace {

using namespace core::task_state;
using shared::Timer;
using shared::TimerKind;

struct DueRow {
    TaskRef task;
    char state;
    std::optional<TimestampTz> due_at;
    Attempt attempt;
    std::optional<int64> token;
};

// The rows of tasks whose timers are due, locked; those that somebody else holds come back a moment later.
std::vector<DueRow> lock_due(Call &call, std::vector<Timer> timers)
{
    static pg::Statement lock(
        "select t.run_id, t.task_no, t.state, t.due_at, t.version_id, t.no, coalesce(t.worker_id, 0), t.attempt, t.attempts_before, t.started_at, t.token"
        " from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
        " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no where t.state in ('d', 'w', 'r') for update of t skip locked",
        {UUIDARRAYOID, INT4ARRAYOID});
    static pg::Statement held("select t.run_id, t.task_no from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                              " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no where t.state in ('d', 'w', 'r')",
                              {UUIDARRAYOID, INT4ARRAYOID});

    std::sort(timers.begin(), timers.end(), [](const Timer &a, const Timer &b) { return a.task < b.task; });
    timers.erase(std::unique(timers.begin(), timers.end(), [](const Timer &a, const Timer &b) { return a.task == b.task; }), timers.end());
    std::vector<DueRow> due;
    by_day(
        timers, [](const Timer &t) { return day_of(t.task.run); },
        [&](int day, size_t first, size_t last) {
            if (!leaf_exists(day)) return;
            pg::Column run(UUIDOID), task_no(INT4OID);
            for (size_t i = first; i < last; i++) {
                run.add(timers[i].task.run);
                task_no.add(Int32GetDatum(timers[i].task.task_no));
            }
            const Datum runs = run.array(), tasks = task_no.array();
            pg::Rows rows = lock.run_on(day, Parameters<2>().add(runs).add(tasks));
            std::set<TaskRef> locked;
            for (uint64 i = 0; i < rows.count(); i++) {
                const TaskRef task{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)};
                locked.insert(task);
                DueRow row{task,
                           rows.letter(i, 3),
                           {},
                           {task.run, task.task_no, rows.int4(i, 5), rows.int4(i, 6), rows.int4(i, 7), rows.int2(i, 8), rows.int2(i, 9), 0},
                           {}};
                if (auto at = rows.maybe(i, 4)) row.due_at = DatumGetTimestampTz(*at);
                if (auto at = rows.maybe(i, 10)) row.attempt.started_at = DatumGetTimestampTz(*at);
                if (auto token = rows.maybe(i, 11)) row.token = DatumGetInt64(*token);
                due.push_back(row);
            }
            if (locked.size() == last - first) return;
            rows = held.run_on(day, Parameters<2>().add(runs).add(tasks));
            std::set<TaskRef> there;
            for (uint64 i = 0; i < rows.count(); i++) there.insert({pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)});
            for (size_t i = first; i < last; i++)
                if (there.count(timers[i].task) && !locked.count(timers[i].task))
                    shared::on_commit_timer(call.now() + look_again_us, timers[i].task, timers[i].kind);
        });
    return due;
}

// Delays are over: ready again, or started again where the engine does that.
void fire_retries(Call &call, const std::vector<DueRow> &due)
{
    std::vector<Transition> transitions;
    std::map<TaskRef, InlineResult> results;
    std::map<TaskRef, const Version *> versions;
    for (const DueRow &row : due) {
        if (row.state != scheduled || !row.due_at || *row.due_at > call.now()) continue;
        const Version &version = version_of(row.attempt.version_id);
        const core::PlannedTask &task = task_of(version, row.task.run, row.task.task_no);
        InlineResult result{ready};
        if (core::runs_in_engine(task.executor)) {
            // Where the run is about to end, the look that ends it cancels this as well.
            if (!task.is_finally && run_is_ending(row.task.run)) continue;
            result = start_inline(call, row.task, version, task, scheduled, row.attempt.attempt - row.attempt.attempts_before + 1);
        }
        transitions.push_back(transition_of(call, row.task, scheduled, result, EventKind::timer_fired));
        results.emplace(row.task, std::move(result));
        versions[row.task] = &version;
    }
    apply(call, transitions);
    std::vector<Succeeded> done;
    for (const Transition &t : transitions) {
        if (!t.applied) continue;
        const TaskRef task{t.run, t.task_no};
        const Version &version = *versions.at(task);
        record_inline(call, version, t, results.at(task));
        if (t.to == succeeded) done.push_back({t.run, &version, t.task_no});
        else if (core::is_final(t.to)) follow_other_end(t.run, version, t.task_no, t.to);
    }
    follow_success(call, done, false);
}

// The time of a wait is over: a sleep has succeeded, whatever did not come has timed out.
void fire_waits(Call &call, const std::vector<DueRow> &due)
{
    std::vector<EndedWait> over;
    std::vector<EndedAttempt> late;
    for (const DueRow &row : due) {
        if (row.state != waiting || !row.due_at || *row.due_at > call.now()) continue;
        const Version &version = version_of(row.attempt.version_id);
        const core::PlannedTask &task = task_of(version, row.task.run, row.task.task_no);
        if (task.executor == core::Executor::sleep || task.executor == core::Executor::until) {
            over.push_back({.task = row.task, .version = &version, .output = pg::jsonb_datum("{}"), .by = EventKind::timer_fired});
            continue;
        }
        if (!close_child(call, row.task)) {
            shared::on_commit_timer(call.now() + look_again_us, row.task, TimerKind::sleep);
            continue;
        }
        late.push_back({.attempt = row.attempt,
                        .how = HowEnded::timed_out,
                        .error = error_json("timeout", "timeout",
                                            std::string(core::executor_name(task.executor)) + " took longer than " +
                                                core::to_text(core::Json(task.timeout_seconds)) + " seconds"),
                        .from = waiting,
                        .first = EventKind::timer_fired});
    }
    end_waits(call, over, false);
    end_attempts(call, late);
}

// Attempts whose worker did not end them at their timeout, and did not say so either.
void fire_attempt_deadlines(Call &call, const std::vector<DueRow> &due)
{
    std::vector<EndedAttempt> ended;
    std::vector<int64> tokens;
    for (const DueRow &row : due) {
        if (row.state != running || !row.token) continue;
        const double seconds = task_of(version_of(row.attempt.version_id), row.task.run, row.task.task_no).timeout_seconds;
        const int64 grace = settings::timeout_grace_ms * INT64CONST(1000);
        if (seconds <= 0 || row.attempt.started_at + static_cast<int64>(seconds * USECS_PER_SEC) + grace > call.now()) continue;
        shared::LeaseState held;
        const bool stopped = shared::lease_of(row.task, held) && held.cancel;
        ended.push_back({row.attempt,
                         HowEnded::timed_out,
                         error_json("timeout", "timeout", "the attempt took longer than " + core::to_text(core::Json(seconds)) + " seconds"),
                         {},
                         stopped,
                         true,
                         {}});
        tokens.push_back(*row.token);
    }
    end_attempts(call, ended);
    for (size_t i = 0; i < ended.size(); i++) {
        shared::on_commit_unlease({ended[i].attempt.run, ended[i].attempt.task_no}, tokens[i]);
        shared::on_commit_stop_leases(ended[i].attempt.run, ended[i].attempt.task_no);
    }
}

// A run's time is up: it ends as timed_out, once what runs has stopped.
void fire_run_deadline(Call &call, const RunId &run)
{
    static pg::Statement lock("select r.deadline_at from _orch.run_{} r where r.run_id = $1 and r.state = 'r' and r.outcome is null for update skip locked",
                              {UUIDOID});
    static pg::Statement look("select 1 from _orch.run_{} r where r.run_id = $1 and r.state = 'r' and r.outcome is null and r.deadline_at is not null",
                              {UUIDOID});
    static pg::Statement update("update _orch.run_{} set outcome = 't' where run_id = $1", {UUIDOID});
    if (!leaf_exists(day_of(run))) return;
    const Parameters<1> id = Parameters<1>().add(pg::uuid_datum(run));
    pg::Rows rows = lock.run_on(day_of(run), id);
    if (rows.empty()) {
        if (!look.run_on(day_of(run), id).empty()) shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, TimerKind::run_deadline);
        return;
    }
    if (rows.is_null(0, 1)) return;
    if (const TimestampTz deadline = rows.time(0, 1); deadline > call.now())
        return shared::on_commit_timer(deadline, {run, run_itself}, TimerKind::run_deadline);
    update.run_on(day_of(run), id);
    shared::on_commit_advance({run, run_itself});
}

void fire(Call &call, std::span<const Timer> timers)
{
    std::vector<Timer> of_tasks;
    for (const Timer &t : timers) {
        if (t.task.run == admission) {
            shared::on_commit_advance(t.task);
        } else if (t.kind == TimerKind::run_at) {
            start_run(call, t.task.run);
            shared::on_commit_advance({t.task.run, run_itself});
        } else if (t.kind == TimerKind::run_deadline) {
            fire_run_deadline(call, t.task.run);
        } else {
            of_tasks.push_back(t);
        }
    }
    const std::vector<DueRow> due = lock_due(call, of_tasks);
    fire_retries(call, due);
    fire_waits(call, due);
    fire_attempt_deadlines(call, due);
}

void reap(Call &call, std::span<const shared::ExpiredLease> expired)
{
    std::vector<LeaseKey> keys;
    std::map<TaskRef, int64> tokens;
    for (const shared::ExpiredLease &e : expired) {
        if (is_question(e.task)) {
            offer_again(call, e.task.run, e.token);
            continue;
        }
        if (!leaf_exists(day_of(e.task.run))) {
            shared::on_commit_unlease(e.task, e.token);
            continue;
        }
        keys.push_back({e.task.run, e.task.task_no, 0, e.token});
        tokens[e.task] = e.token;
    }
    std::vector<EndedAttempt> ended;
    for (const Attempt &a : lock_attempts(keys, true)) {
        const TaskRef task{a.run, a.task_no};
        shared::LeaseState held;
        // Told to stop and not heard of since: it counts as cancelled.
        const bool stopped = shared::lease_of(task, held) && held.cancel;
        ended.push_back({a,
                         HowEnded::lease_expired,
                         stopped ? error_json("cancelled", "cancelled", "the worker was told to stop and did not answer before its lease expired")
                                 : error_json("infrastructure", "lease_expired", "the worker's lease expired"),
                         {},
                         stopped,
                         !stopped,
                         {}});
    }
    end_attempts(call, ended);
    for (const EndedAttempt &e : ended) {
        const auto of = tokens.find({e.attempt.run, e.attempt.task_no});
        shared::on_commit_unlease(of->first, of->second);
        tokens.erase(of);
    }
    // What is left is either settled by now, or being settled: looked at without a lock, and offered again while it still runs.
    for (const auto &[task, token] : tokens)
        if (!still_running(task, token)) shared::on_commit_unlease(task, token);
}

// A batch, or after a batch that failed each item by itself: the bad one is left aside for a while, and the others go on.
template <class Item>
void do_batch(Call &call, bool one_by_one, const std::vector<Item> &items, void (*f)(Call &, std::span<const Item>), const char *doing,
              const std::function<void(const Item &)> &left_aside)
{
    if (!one_by_one) return f(call, items);
    for (const Item &item : items)
        if (!pg::isolated(doing, "it is tried again in five seconds", [&] {
                Call own;
                f(own, {&item, 1});
                own.finish();
            }))
            left_aside(item);
}

}  // namespace

bool fire_timers(int limit)
{
    static bool careful = false;
    const bool one_by_one = std::exchange(careful, true);
    Call call;
    std::vector<Timer> timers(limit);
    timers.resize(shared::take_due(call.now(), limit, timers.data()));
    do_batch<Timer>(call, one_by_one, timers, fire, "firing a timer",
                    [&](const Timer &t) { shared::on_commit_timer(call.now() + retry_bad_us, t.task, t.kind); });
    call.finish();
    careful = false;
    return timers.size() == static_cast<size_t>(limit);
}

bool reap_leases(int limit)
{
    static bool careful = false;
    const bool one_by_one = std::exchange(careful, true);
    Call call;
    std::vector<shared::ExpiredLease> expired(limit);
    expired.resize(shared::take_expired(limit, expired.data()));
    // One that cannot be ended now is offered again by itself.
    do_batch<shared::ExpiredLease>(call, one_by_one, expired, reap, "ending an expired lease", [](const shared::ExpiredLease &) {});
    call.finish();
    careful = false;
    return expired.size() == static_cast<size_t>(limit);
}

}  // namespace orch::engine
