// Reading every active run from its rows: after a start (rebuild), or when shared memory had no room for something (sweep, rescan).
//
// Nothing settles while a rebuild runs: leasing and settling wait until the phase is open. So what is counted here is exact.
#include "core/advance.hpp"
#include "core/states.hpp"
#include "engine/code_run.hpp"
#include "engine/lease.hpp"
#include "engine/progress.hpp"
#include "engine/task_of.hpp"
#include "engine/upkeep.hpp"
#include "pg/cursor.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/feed.hpp"
#include "shared/routes.hpp"
#include "shared/run_ids.hpp"
#include "shared/settings.hpp"

#include <map>
#include <set>

namespace orch::engine {

namespace {

using namespace core::task_state;
using shared::TimerKind;

constexpr int64 rows_a_time = 10'000;
constexpr int64 position_gap = 1'000'000;

struct Purpose {
    bool ready;  // fill the ready lists
    bool leases;
    bool timers;
    bool counters;
    bool looks;  // queue advances for runs that have something to decide
};

struct RunFactsOf {
    const Version *version;
    char state;
    char outcome;
    bool asked;
};

struct TaskRow {
    int32 task_no;
    char state;
};

// The timers found in rows: the soonest that fit into memory. By the time of the first of the others the rows are read again.
class Soonest {
public:
    void add(int64 due, const TaskRef &task, TimerKind kind)
    {
        timers_.push_back({task, due, kind});
        std::push_heap(timers_.begin(), timers_.end(), sooner);
        if (timers_.size() <= most_) return;
        std::pop_heap(timers_.begin(), timers_.end(), sooner);
        left_out_ = std::min(left_out_, timers_.back().due_us);
        timers_.pop_back();
    }

    void push()
    {
        // The soonest first: should memory be full before the last, the rest is read later.
        std::sort_heap(timers_.begin(), timers_.end(), sooner);
        for (const shared::Timer &t : timers_) shared::push_timer(t.due_us, t.task, t.kind);
        if (left_out_ != INT64_MAX) shared::rescan_by(left_out_);
    }

private:
    static bool sooner(const shared::Timer &a, const shared::Timer &b) { return a.due_us < b.due_us; }

    const size_t most_ = shared::timers_from_rows();
    std::vector<shared::Timer> timers_;
    int64 left_out_ = INT64_MAX;
};

class Scan {
public:
    Scan(Call &call, const Purpose &purpose) : call_(call), purpose_(purpose) {}

    void run()
    {
        for (int day : leaf_days()) {
            if (!lock_leaf(day)) continue;
            read_runs(day);
            read_tasks(day);
        }
        // Nothing comes into these states or leaves them while the database is not open.
        if (purpose_.counters) {
            shared::set_level(shared::Level::tasks_scheduled, scheduled_);
            shared::set_level(shared::Level::tasks_waiting, waiting_);
        }
        timers_.push();
        // Whether one of the runs that wait for a place under max_active_runs may have it.
        for (int32 workflow : admissions_) shared::on_commit_advance({admission, workflow});
    }

private:
    void read_runs(int day)
    {
        pg::Cursor cursor("select r.run_id, r.version_id, r.state, coalesce(r.outcome, ''), r.run_at, r.deadline_at, r.priority, r.created_at from _orch.run_" +
                          pg::day_name(day) + " r where r.state in ('q', 'd', 'r', 'c', 'p')");
        for (pg::Rows rows = cursor.next(rows_a_time); !rows.empty(); rows = cursor.next(rows_a_time))
            for (uint64 i = 0; i < rows.count(); i++) read_run(rows, i);
        cursor.close();
    }

    void read_run(const pg::Rows &rows, uint64 i)
    {
        const RunId run = pg::uuid_of(rows.get(i, 1));
        const Version &version = version_of(rows.int4(i, 2));
        const char state = rows.letter(i, 3), outcome = rows.letter(i, 4);
        if (state == core::run_state::queued) admissions_.insert(version.workflow_id);
        if (state == core::run_state::queued && purpose_.ready) {
            const int slot = admission_slot(version);
            if (!shared::refill_push(slot, {run, run_itself}, sort_key(rows.time(i, 8), rows.int2(i, 7)))) shared::lower_cursor(slot, run);
        }
        if (state == core::run_state::scheduled && purpose_.timers && !rows.is_null(i, 5)) timers_.add(rows.time(i, 5), {run, run_itself}, TimerKind::run_at);
        if (state == core::run_state::running && !outcome && purpose_.timers && !rows.is_null(i, 6))
            timers_.add(rows.time(i, 6), {run, run_itself}, TimerKind::run_deadline);
    }

    void read_tasks(int day)
    {
        const std::string name = pg::day_name(day);
        pg::Cursor cursor(
            "select t.run_id, t.task_no, t.state, t.token, coalesce(t.worker_id, 0), t.due_at, t.ready_at, t.priority, t.started_at, "
            "r.version_id, r.state, coalesce(r.outcome, ''), t.attempt, case when t.state in ('y', 'r', 'w') then t.item end, coalesce(r.asked, false)"
            " from _orch.run_" +
            name + " r join _orch.task_" + name + " t on t.run_id = r.run_id where r.state in ('r', 'c', 'p') order by t.run_id, t.task_no");
        for (pg::Rows rows = cursor.next(rows_a_time); !rows.empty(); rows = cursor.next(rows_a_time))
            for (uint64 i = 0; i < rows.count(); i++) {
                const RunId run = pg::uuid_of(rows.get(i, 1));
                if (run != current_) {
                    end_of_run();
                    current_ = run;
                    forget_items();
                    facts_ = {&version_of(rows.int4(i, 10)), rows.letter(i, 11), rows.letter(i, 12), rows.boolean(i, 15)};
                }
                tasks_.push_back({rows.int4(i, 2), rows.letter(i, 3)});
                read_task(rows, i);
            }
        end_of_run();
        current_ = {};
        cursor.close();
    }

    void read_task(const pg::Rows &rows, uint64 i)
    {
        const TaskRef task{current_, rows.int4(i, 2)};
        const Version &version = *facts_.version;
        scheduled_ += rows.letter(i, 3) == scheduled;
        waiting_ += rows.letter(i, 3) == waiting;
        switch (rows.letter(i, 3)) {
        case ready:
            if (purpose_.ready) {
                const int slot = route_slot(version, task, rows.maybe(i, 14));
                if (!shared::refill_push(slot, task, sort_key(rows.time(i, 7), rows.int2(i, 8)))) shared::lower_cursor(slot, task.run);
            }
            break;
        case running: {
            const int32 worker = rows.int4(i, 5);
            // The open attempts get a full lease time: their workers could not reach us.
            if (purpose_.leases && !rows.is_null(i, 4)) {
                // Known again, so that its heartbeats keep them.
                const int slot = worker ? slot_of_worker(call_, worker) : shared::no_slot;
                shared::grace_lease(task, rows.int2(i, 13), rows.int8(i, 4), slot, settings::default_lease_time_ms * INT64CONST(1000));
            }
            const double seconds = task_of(version, task.run, task.task_no, rows.maybe(i, 14)).timeout_seconds;
            if (purpose_.timers && seconds > 0 && !rows.is_null(i, 9))
                timers_.add(rows.time(i, 9) + static_cast<int64>(seconds * USECS_PER_SEC) + settings::timeout_grace_ms * INT64CONST(1000), task,
                            TimerKind::attempt_deadline);
            break;
        }
        case scheduled:
            if (purpose_.timers && !rows.is_null(i, 6)) timers_.add(rows.time(i, 6), task, TimerKind::retry);
            break;
        case waiting:
            if (purpose_.looks && version.waits) {
                // A child may have ended, or a signal come, when memory was lost.
                const core::Executor executor = task_of(version, task.run, task.task_no, rows.maybe(i, 14)).executor;
                came_ |= executor == core::Executor::workflow || executor == core::Executor::signal;
            }
            if (purpose_.timers && !rows.is_null(i, 6)) timers_.add(rows.time(i, 6), task, TimerKind::sleep);
            if (purpose_.looks && task.task_no == main_task && version.is_code())
                if (auto item = rows.maybe(i, 14)) waits_ = pg::json_text_of(*item);
            break;
        default: break;
        }
    }

    // All rows of a run have been read: count them, and look whether something is left to decide.
    void end_of_run()
    {
        std::vector<TaskRow> tasks = std::move(tasks_);
        const std::string waits = std::exchange(waits_, {});
        tasks_.clear();
        if (tasks.empty() || (!purpose_.counters && !purpose_.looks)) return;
        const Version &version = *facts_.version;
        if (std::exchange(came_, false) && purpose_.looks) shared::on_commit_advance({current_, run_itself});
        std::vector<char> states(version.task_count(), pending);
        for (const TaskRow &t : tasks)
            if (t.task_no < version.task_count()) states[t.task_no] = t.state;
        if (purpose_.counters && version.counted()) count(version, states);
        if (!purpose_.looks) return;
        if (!waits.empty()) look_at_waiting_code(waits, tasks);
        const bool ending = facts_.state == core::run_state::cancelling;
        const bool late = facts_.outcome == 't' || facts_.outcome == 'T';
        core::Advance advance(version.plan, states,
                              ending ? core::Ending::cancelled
                              : late ? core::Ending::timed_out
                                     : core::Ending::none,
                              facts_.outcome == 'c', core::is_final(facts_.outcome) ? facts_.outcome : '\0');
        const core::RunEnd end = advance.end();
        if (advance.next() || end.over || end.stop_running || (end.outcome && end.outcome != facts_.outcome)) shared::on_commit_advance({current_, run_itself});
    }

    // Whether what ended while nobody could tell main was all that it waits for; or an update has come, which that look asks for.
    void look_at_waiting_code(const std::string &waits, const std::vector<TaskRow> &tasks)
    {
        std::vector<char> states(static_cast<size_t>(tasks.back().task_no) + 1, pending);
        for (const TaskRow &t : tasks) states[t.task_no] = t.state;
        if (facts_.asked || condition_holds(pg::jsonb_datum(waits), states)) shared::on_commit_advance({current_, main_task});
    }

    static int route_slot(const Version &version, const TaskRef &task, std::optional<Datum> item)
    {
        if (item) task_of(version, task.run, task.task_no, item);
        return route_slot_of(version, task);
    }

    void count(const Version &version, const std::vector<char> &states)
    {
        std::vector<shared::JoinCount> joins(version.plan.join_count);
        int32 open = 0;
        for (int32 t = 0; t < version.plan.main_count; t++) {
            if (const int32 own = version.task(t).join_no; own >= 0) joins[own].fired = states[t] != pending;
            if (!core::is_final(states[t])) {
                open++;
                continue;
            }
            for (int32 child : version.task(t).children) {
                const int32 join = version.task(child).join_no;
                if (join < 0) continue;
                if (states[t] == succeeded) joins[join].succeeded++;
                else if (states[t] == skipped) joins[join].skipped++;
                else if (states[t] == upstream_failed) joins[join].upstream_failed++;
                else joins[join].failed++;
            }
        }
        shared::on_commit_counters(current_, open, joins);
    }

    Call &call_;
    const Purpose purpose_;
    RunId current_{};
    RunFactsOf facts_{};
    std::vector<TaskRow> tasks_;
    std::string waits_;  // of the current run's main
    bool came_ = false;  // whether something may have come for a task of the run that waits
    std::set<int32> admissions_;
    int64 scheduled_ = 0, waiting_ = 0;
    Soonest timers_;
};

// Positions go on above every one that was given out. They are seeded by the clock, which outruns any rate of events; were it set back, the newest leaves would tell.
void seed_feed(const std::vector<int> &days)
{
    int64 highest = shared::now_us();
    if (!days.empty()) {
        static pg::Statement newest("select max(e.pos) from _orch.event_{} e where e.pos > $1", {INT8OID});
        pg::Rows rows = newest.run_on(days.back(), Parameters<1>().add(Int64GetDatum(highest)));
        if (!rows.empty() && !rows.is_null(0, 1)) highest = rows.int8(0, 1);
    }
    shared::seed_positions(highest + position_gap);
}

// The runs that take a place under max_active_runs. Those that take a place wait meanwhile; a count that one from before overlapped is taken again.
void count_active(const std::vector<int> &days)
{
    static pg::Statement select("select v.workflow_id, v.version_id, count(*) from _orch.run_{} r join _orch.version v on v.version_id = r.version_id"
                                " where r.state in ('r', 'c', 'p') and r.started_at is not null and v.spec ? 'max_active_runs' group by 1, 2",
                                {});
    do {
        shared::active_recount_begin();
        std::map<int32, int> active;
        for (int day : days) {
            pg::Rows rows = select.run_on(day, Parameters<1>());
            for (uint64 i = 0; i < rows.count(); i++)
                if (version_of(rows.int4(i, 2)).plan.max_active_runs > 0) active[rows.int4(i, 1)] += static_cast<int>(rows.int8(i, 3));
        }
        for (const auto &[workflow, count] : active) shared::active_set(workflow, count);
    } while (!shared::active_recount_end());
}

// Runs by state, for monitoring: before the partitions are known, when nothing is triggered.
void count_runs(const std::vector<int> &days)
{
    static pg::Statement select("select r.state, count(*) from _orch.run_{} r where r.state in ('q', 'd', 'r', 'c', 'p') group by 1", {});
    std::map<char, int64> count;
    for (int day : days) {
        pg::Rows rows = select.run_on(day, Parameters<1>());
        for (uint64 i = 0; i < rows.count(); i++) count[rows.letter(i, 1)] += rows.int8(i, 2);
    }
    using enum shared::Level;
    for (auto [state, level] : {std::pair('q', runs_queued), {'d', runs_scheduled}, {'r', runs_running}, {'c', runs_cancelling}, {'p', runs_paused}})
        shared::set_level(level, count[state]);
}

}  // namespace

void rebuild()
{
    Call call;
    const std::vector<int> days = leaf_days();
    count_runs(days);
    // Nothing is triggered, so no position taken, before the bounds of the partitions are known.
    seed_feed(days);
    if (!days.empty()) shared::partitions_set(days.front() * INT64CONST(86'400'000), (days.back() + 1) * INT64CONST(86'400'000));
    count_active(days);
    Scan(call, {true, true, true, true, true}).run();
    shared::set_cancels_unseen();
    call.finish();
}

void sweep()
{
    Call call;
    Scan(call, {false, false, false, false, true}).run();
    call.finish();
}

void rescan_timers()
{
    Call call;
    shared::rescan_begin();
    // With the looks: among the timers without room may have been some that stood for one.
    Scan(call, {false, false, true, false, true}).run();
    call.finish();
}

}  // namespace orch::engine
