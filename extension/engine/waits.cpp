#include "engine/waits.hpp"

#include "core/state_changes.hpp"
#include "engine/child.hpp"
#include "engine/progress.hpp"
#include "engine/signal.hpp"
#include "engine/transitions.hpp"

namespace orch::engine {

using core::task_state::succeeded;
using core::task_state::waiting;

std::string stamp_of(TimestampTz at)
{
    char *stamp = nullptr;
    pg::call_pg([&] { stamp = pstrdup(timestamptz_to_str(at)); });
    return stamp;
}

bool hold_row(const TaskRef &task, char state)
{
    static pg::Statement lock("select 1 from _orch.task_{} t where t.run_id = $1 and t.task_no = $2 and t.state = $3 for update skip locked",
                              {UUIDOID, INT4OID, CHAROID});
    return !lock.run_on(day_of(task.run), Parameters<3>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)).add(CharGetDatum(state))).empty();
}

std::optional<Attempt> lock_waiting(const TaskRef &task, bool wait)
{
#define ORCH_LOCK_WAITING(how)                                                                                            \
    "select t.version_id, t.no, t.attempt, t.attempts_before, t.started_at from _orch.task_{} t where t.run_id = $1 and " \
    "t.task_no = $2 and t.state = 'w' for update" how
    static pg::Statement waits(ORCH_LOCK_WAITING(""), {UUIDOID, INT4OID});
    static pg::Statement skips(ORCH_LOCK_WAITING(" skip locked"), {UUIDOID, INT4OID});
#undef ORCH_LOCK_WAITING
    const Parameters<2> parameters = Parameters<2>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no));
    const pg::Rows rows = (wait ? waits : skips).run_on(day_of(task.run), parameters);
    if (rows.empty()) return std::nullopt;
    return Attempt{task.run, task.task_no, rows.int4(0, 1), rows.int4(0, 2), 0, rows.int2(0, 3), rows.int2(0, 4), rows.time(0, 5)};
}

std::optional<WaitsFor> waits_for(const TaskRef &task)
{
    static pg::Statement select(
        "select e.kind, e.payload from _orch.event_{} e where e.run_id = $1 and e.task_no = $2 and e.kind in (29, 40, 61) order by e.no desc limit 1",
        {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(task.run), Parameters<2>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)));
    if (rows.empty() || rows.is_null(0, 2)) return std::nullopt;
    return WaitsFor{static_cast<EventKind>(rows.int2(0, 1)), rows.get(0, 2)};
}

void end_waits(Call &call, const std::vector<EndedWait> &ended, bool deferred)
{
    std::vector<Transition> transitions;
    std::map<TaskRef, const EndedWait *> by_task;
    for (const EndedWait &e : ended) {
        Transition t{e.task.run, e.task.task_no, waiting, succeeded};
        if (e.by) t.events.add(*e.by);
        t.events.add(EventKind::task_succeeded);
        t.output_event = t.events.count();
        t.finished_at = call.now();
        transitions.push_back(t);
        by_task[e.task] = &e;
    }
    apply(call, transitions);
    std::vector<Succeeded> done;
    for (const Transition &t : transitions) {
        if (!t.applied) continue;
        const EndedWait &e = *by_task.at({t.run, t.task_no});
        const Datum actor = e.actor.value_or(call.engine_actor());
        if (e.by) call.events().add({t.run, t.task_no, t.no - 1, *e.by, t.attempt, e.by_actor.value_or(actor), e.by_payload});
        call.events().add({t.run, t.task_no, t.no, EventKind::task_succeeded, t.attempt, actor, e.output});
        done.push_back({t.run, e.version, t.task_no});
    }
    follow_success(call, done, deferred);
}

bool look_at_waits(Call &call, const RunId &run)
{
    const bool children = settle_children(call, run);
    return deliver_signals(call, run, false) || children;
}

}  // namespace orch::engine
