#include "engine/circuits.hpp"

#include "core/problem.hpp"
#include "core/retry_policy.hpp"
#include "engine/attempts.hpp"
#include "engine/document.hpp"
#include "engine/progress.hpp"
#include "engine/refill.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/upkeep.hpp"
#include "shared/circuits.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;

struct Waiting {
    const Version *version;
    std::string output;            // JSON text
    std::optional<Datum> trouble;  // instead: why the fallback cannot be told
};

Waiting resolve_fallback(Call &call, const TaskRef &task, const Version &version)
{
    const core::PlannedTask &planned = task_of(version, task.run, task.task_no);
    call.events().write();
    try {
        Document document(task.run, version);
        if (planned.references_run) document.facts(facts_of(task.run));
        return {&version, planned.has_templates ? document.resolve(planned, planned.fallback) : core::to_text(planned.fallback), {}};
    } catch (const expression_error &e) {
        return {&version, {}, error_json("validation", e.code, "the fallback: " + e.message)};
    }
}

// Those of a stretch of one day that are ready still; what a cancelled run has left ready is the advance's to end.
void take_ready_rows(Call &call, int day, std::span<const TaskRef> tasks, std::map<TaskRef, Waiting> &waiting)
{
    static pg::Statement select("select t.run_id, t.task_no, t.version_id, r.state from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                                " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no"
                                " join _orch.run_{} r on r.run_id = t.run_id where t.state = 'y'",
                                {UUIDARRAYOID, INT4ARRAYOID});
    if (!leaf_exists(day)) return;
    pg::Column run(UUIDOID), task_no(INT4OID);
    for (const TaskRef &task : tasks) {
        run.add(task.run);
        task_no.add(Int32GetDatum(task.task_no));
    }
    const pg::Rows rows = select.run_on(day, Parameters<2>().add(run.array()).add(task_no.array()));
    for (uint64 i = 0; i < rows.count(); i++) {
        const TaskRef task{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)};
        const Version &version = version_of(rows.int4(i, 3));
        if (rows.letter(i, 4) == core::run_state::cancelling && !task_of(version, task.run, task.task_no).is_finally) shared::put_back(task);
        else waiting.emplace(task, resolve_fallback(call, task, version));
    }
}

void end_by_fallback(Call &call, const std::map<TaskRef, Waiting> &waiting)
{
    std::vector<Transition> transitions;
    for (const auto &[task, w] : waiting) {
        Transition t{task.run, task.task_no, ready, w.trouble ? failed : succeeded};
        t.events = core::task_end_event(t.to);
        t.output_event = 1;
        t.finished_at = call.now();
        transitions.push_back(t);
    }
    apply(call, transitions);
    std::vector<Succeeded> done;
    for (const Transition &t : transitions) {
        const TaskRef task{t.run, t.task_no};
        if (!t.applied) {
            shared::put_back(task);
            continue;
        }
        const Waiting &w = waiting.at(task);
        const Datum marked = pg::jsonb_datum(core::to_text(core::Json{{"fallback", true}, {"circuit", task_of(*w.version, t.run, t.task_no).circuit}}));
        const Datum payload = w.trouble ? *w.trouble : pg::jsonb_datum(w.output);
        call.events().add({t.run, t.task_no, t.no, t.events.last(), 0, call.engine_actor(), payload, marked});
        if (w.trouble) {
            write_dead_letter(call, t.run, *w.version, t.task_no, t.attempt, t.to, payload);
            follow_other_end(t.run, *w.version, t.task_no, t.to);
        } else {
            done.push_back({t.run, w.version, t.task_no});
        }
    }
    follow_success(call, done, false);
}

}  // namespace

void tell_circuit(const Version &version, const TaskRef &task, core::CircuitOutcome outcome, std::optional<Datum> item)
{
    if (outcome == core::CircuitOutcome::neither) return;
    const core::PlannedTask &planned = task_of(version, task.run, task.task_no, item);
    if (planned.circuit.empty()) return;
    shared::on_commit_outcome(task, route_slot_of(version, task), outcome, planned.circuit_policy);
}

core::CircuitOutcome outcome_of_error(std::string_view error_class)
{
    return core::opens_circuit(core::error_class_from(error_class)) ? core::CircuitOutcome::failure : core::CircuitOutcome::neither;
}

bool fall_back(int limit)
{
    Call call;
    const int route = shared::route_to_fall_back();
    if (route == shared::no_slot) {
        call.finish();
        return false;
    }
    std::vector<TaskRef> tasks(limit);
    int count = shared::take_ready_of_route(route, limit, tasks.data());
    if (count == 0 && refill_route(route)) count = shared::take_ready_of_route(route, limit, tasks.data());
    tasks.resize(count);
    std::sort(tasks.begin(), tasks.end());
    std::map<TaskRef, Waiting> waiting;
    by_day(
        tasks, [](const TaskRef &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            take_ready_rows(call, day, {tasks.data() + first, last - first}, waiting);
        });
    end_by_fallback(call, waiting);
    call.finish();
    return count == limit;
}

bool reset_circuit(Call &call, const std::string &name)
{
    static pg::Statement select("select 1 from _orch.route where tenant = $1 and circuit = $2 limit 1", {TEXTOID, TEXTOID});
    const std::string tenant = call.tenant();
    if (select.run(Parameters<2>().add(pg::text_datum(tenant)).add(pg::text_datum(name))).empty())
        throw pg::error{ERRCODE_UNDEFINED_OBJECT, "there is no circuit " + core::in_quotes(name), {}, "See orch.circuits for those that definitions name."};
    bool was_closed = true;
    return shared::reset_circuit(tenant, name, was_closed) && !was_closed;
}

}  // namespace orch::engine
