#include "engine/progress.hpp"

#include "core/state_changes.hpp"
#include "core/trigger_rule.hpp"
#include "engine/child.hpp"
#include "engine/code_run.hpp"
#include "engine/columns.hpp"
#include "engine/task_of.hpp"
#include "shared/routes.hpp"

#include <set>

namespace orch::engine {

namespace {

using core::Counts;
using core::Outcome;

shared::JoinChange change_for(const Version &version, int32 child, char state)
{
    const core::PlannedTask &c = version.task(child);
    return {c.join_no, state, c.rule, c.at_least, static_cast<int32>(c.parents.size()), child, false};
}

// Makes pending tasks ready; returns those that were not, since somebody else holds or has decided them.
std::vector<TaskRef> make_ready(Call &call, std::vector<std::pair<TaskRef, const Version *>> &tasks)
{
    namespace column = task_column;
    std::sort(tasks.begin(), tasks.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<TaskRef> missed;
    by_day(
        tasks, [](const auto &t) { return day_of(t.first.run); },
        [&](int day, size_t first, size_t last) {
            pg::KeptRows rows = kept_tasks(day);
            for (size_t i = first; i < last; i++) {
                const auto &[task, version] = tasks[i];
                if (rows.find(task.run, task.task_no) && DatumGetChar(rows.get(column::state)) == core::task_state::pending) {
                    rows.set(column::state, CharGetDatum(core::task_state::ready));
                    rows.set(column::ready_at, time_datum(call.now()));
                    if (rows.try_change()) {
                        queue_ready(*version, task, call.now(), DatumGetInt16(rows.get(column::priority)));
                        continue;
                    }
                }
                missed.push_back(task);
            }
            rows.finish();
        });
    return missed;
}

// Of these runs, all of whose tasks are final now, those in which every task succeeded.
std::vector<std::pair<RunId, const Version *>> all_succeeded(const std::vector<std::pair<RunId, const Version *>> &runs)
{
    // What code made may have ended in any way: the code has seen to it.
    static pg::Statement select("select u.run_id from unnest($1::uuid[], $2::int4[]) u(run_id, planned)"
                                " where not exists (select 1 from _orch.task_{} t where t.run_id = u.run_id and t.state <> 'S'"
                                "  and (t.task_no < u.planned or t.state not in ('F', 'T', 'C')))",
                                {UUIDARRAYOID, INT4ARRAYOID});
    std::vector<std::pair<RunId, const Version *>> good;
    by_day(
        runs, [](const auto &r) { return day_of(r.first); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), planned(INT4OID);
            for (size_t i = first; i < last; i++)
                if (runs[i].second->task_count() == 1 && !runs[i].second->is_code()) good.push_back(runs[i]);
                else run.add(runs[i].first), planned.add(Int32GetDatum(runs[i].second->task_count()));
            if (run.empty()) return;
            pg::Rows rows = select.run_on(day, Parameters<2>().add(run.array()).add(planned.array()));
            for (uint64 i = 0; i < rows.count(); i++) {
                const RunId id = pg::uuid_of(rows.get(i, 1));
                good.push_back(*std::find_if(runs.begin() + first, runs.begin() + last, [&](const auto &r) { return r.first == id; }));
            }
        });
    std::sort(good.begin(), good.end());
    return good;
}

// Ends runs that succeeded; returns those it ended.
std::set<RunId> end_runs(Call &call, const std::vector<std::pair<RunId, const Version *>> &runs)
{
    static_assert(core::run_goes(core::run_state::running, core::run_state::succeeded, EventKind::run_succeeded));
    namespace column = run_column;
    std::set<RunId> ended;
    by_day(
        runs, [](const auto &r) { return day_of(r.first); },
        [&](int day, size_t first, size_t last) {
            pg::KeptRows rows = kept_runs(day);
            for (size_t i = first; i < last; i++) {
                const auto &[id, version] = runs[i];
                if (!rows.find(id) || DatumGetChar(rows.get(column::state)) != core::run_state::running || !rows.is_null(column::outcome)) continue;
                const int32 no = DatumGetInt32(rows.get(column::no)) + 1;
                rows.set(column::state, CharGetDatum(core::run_state::succeeded));
                rows.set(column::outcome, CharGetDatum(core::run_state::succeeded));
                rows.set(column::no, Int32GetDatum(no));
                rows.set(column::finished_at, time_datum(call.now()));
                if (!rows.try_change()) continue;
                call.events().add({id, run_itself, no, EventKind::run_succeeded, 0, call.engine_actor()});
                tell_parent(rows.maybe(column::parent_run_id), rows.maybe(column::parent_task_no));
                shared::on_commit_run_state(core::run_state::running, core::run_state::succeeded);
                shared::on_commit_timing(shared::Timing::run, version->tenant, version->workflow,
                                         call.now() - DatumGetTimestampTz(rows.get(column::started_at)));
                ended.insert(id);
            }
            rows.finish();
            for (size_t i = first; i < last; i++)
                if (ended.count(runs[i].first)) release_run(runs[i].first, *runs[i].second, true);
        });
    return ended;
}

// What one run's successes lead to, before anything is written.
struct Consequences {
    std::vector<int32> ready;
    std::vector<shared::JoinChange> changes;
    std::vector<int32> looks;  // children that an advance must decide
    bool look_at_run = false;
    bool wake_main = false;  // of code: something that it may wait for is over
    bool may_end = false;
    int32 settled = 0;  // main tasks
    bool block = false;
};

Consequences consequences_of(const RunId &run, const Version &version, std::span<const Succeeded> tasks, bool deferred)
{
    Consequences result;
    int32 open = 0;
    shared::JoinCount count;
    result.block = version.counted() && shared::counters_of(run, -1, count, open);
    std::map<int32, int32> mine;  // join child -> parents that succeeded here
    bool at_the_end = false;
    for (const Succeeded &s : tasks) {
        if (s.task_no >= version.task_count()) {
            result.wake_main = true;
            continue;
        }
        const core::PlannedTask &task = version.task(s.task_no);
        if (task.is_finally) {
            result.look_at_run = true;
            continue;
        }
        result.settled++;
        at_the_end |= task.children.empty();
        for (int32 child : task.children) {
            const core::PlannedTask &c = version.task(child);
            if (c.join_no >= 0) {
                result.changes.push_back(change_for(version, child, core::task_state::succeeded));
                mine[child]++;
            } else if (!version.plain(child) || core::evaluate(c.rule, c.at_least, {.parents = 1, .succeeded = 1}) != Outcome::run) {
                result.look_at_run = true;
            } else if (deferred) {
                result.looks.push_back(child);
            } else {
                result.ready.push_back(child);
            }
        }
    }
    for (auto [child, succeeded] : mine) {
        const core::PlannedTask &c = version.task(child);
        if (!result.block) {
            result.looks.push_back(child);
            continue;
        }
        if (deferred || !version.plain(child) || !shared::counters_of(run, c.join_no, count, open)) continue;
        const Counts counts{.parents = static_cast<int32>(c.parents.size()),
                            .succeeded = static_cast<int32>(count.succeeded) + succeeded,
                            .failed = static_cast<int32>(count.failed),
                            .skipped = static_cast<int32>(count.skipped),
                            .upstream_failed = static_cast<int32>(count.upstream_failed)};
        // Counts are lowered after a commit is visible to all. If those and our own make up all parents, nobody else is in flight: the decision is ours.
        if (counts.succeeded + counts.failed + counts.skipped + counts.upstream_failed != counts.parents) continue;
        if (count.fired || core::evaluate(c.rule, c.at_least, counts) != Outcome::run) continue;
        result.ready.push_back(child);
        for (shared::JoinChange &change : result.changes)
            if (change.child_task_no == child) change.decided_here = true;
    }
    const bool last = result.block ? open == result.settled : !version.counted() && at_the_end;
    result.may_end = last && !deferred && !version.has_finally() && version.plan.output.is_null();
    if ((last && !result.may_end) || (at_the_end && !result.block && !result.may_end)) result.look_at_run = true;
    return result;
}

}  // namespace

void queue_ready(const Version &version, const TaskRef &task, TimestampTz ready_at, int priority)
{
    shared::on_commit_ready(task, route_slot_of(version, task), sort_key(ready_at, priority));
}

int admission_slot(const Version &version)
{
    // A route of its own, under a number that no row of _orch.route has; no worker serves it.
    return shared::route_slot(-version.workflow_id, {version.extension, "", ":admission", version.tenant});
}

void queue_for_admission(const Version &version, const RunId &run, TimestampTz since, int priority)
{
    shared::on_commit_ready({run, run_itself}, admission_slot(version), sort_key(since, priority));
    shared::on_commit_advance({admission, version.workflow_id});
}

void release_run(const RunId &run, const Version &version, bool started)
{
    shared::on_commit_run_over(run);
    if (started && version.plan.max_active_runs > 0) {
        shared::on_commit_active(version.workflow_id, -1);
        shared::on_commit_advance({admission, version.workflow_id});
    }
}

void count_ends(const RunId &run, const Version &version, std::span<const std::pair<int32, char>> ended, const std::function<bool(int32)> &decided, bool over)
{
    shared::JoinCount count;
    int32 open;
    if (ended.empty() || !version.counted() || !shared::counters_of(run, -1, count, open)) return;
    std::vector<shared::JoinChange> changes;
    int32 settled = 0;
    for (auto [task_no, state] : ended) {
        if (version.task(task_no).is_finally) continue;
        settled++;
        for (int32 child : version.task(task_no).children) {
            if (version.task(child).join_no < 0) continue;
            changes.push_back(change_for(version, child, state));
            changes.back().decided_here = decided(child);
        }
    }
    shared::on_commit_lower(run, settled, changes, over);
}

void follow_other_end(const RunId &run, const Version &version, int32 task_no, char state)
{
    if (task_no >= version.task_count()) return shared::on_commit_advance({run, main_task});
    const std::pair<int32, char> ended[] = {{task_no, state}};
    // The look at the whole run, queued below, decides whatever this leads to.
    count_ends(
        run, version, ended, [](int32) { return true; }, true);
    shared::on_commit_advance({run, run_itself});
}

void follow_success(Call &call, std::span<const Succeeded> succeeded, bool deferred)
{
    std::vector<std::pair<TaskRef, const Version *>> ready;
    std::vector<std::pair<RunId, const Version *>> ending;
    std::vector<RunId> waking;
    struct Count {
        RunId run;
        Consequences of;
    };
    std::vector<Count> counted;
    for (size_t first = 0; first < succeeded.size();) {
        const RunId run = succeeded[first].run;
        const Version &version = *succeeded[first].version;
        size_t last = first + 1;
        while (last < succeeded.size() && succeeded[last].run == run) last++;
        Consequences next = consequences_of(run, version, succeeded.subspan(first, last - first), deferred);
        for (int32 child : next.ready) ready.push_back({{run, child}, &version});
        for (int32 child : next.looks) shared::on_commit_advance({run, child});
        if (next.look_at_run) shared::on_commit_advance({run, run_itself});
        if (next.wake_main && deferred) shared::on_commit_advance({run, main_task});
        if (next.wake_main && !deferred) waking.push_back(run);
        if (next.may_end) ending.push_back({run, &version});
        if (next.block) counted.push_back({run, std::move(next)});
        first = last;
    }
    for (const TaskRef &task : make_ready(call, ready)) shared::on_commit_advance({task.run, run_itself});
    wake_code(call, waking);
    const std::set<RunId> ended = end_runs(call, all_succeeded(ending));
    for (const auto &[run, version] : ending)
        if (!ended.count(run)) shared::on_commit_advance({run, run_itself});
    for (const Count &c : counted) shared::on_commit_lower(c.run, c.of.settled, c.of.changes, ended.count(c.run) > 0);
}

}  // namespace orch::engine
