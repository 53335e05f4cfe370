#include "engine/child.hpp"

#include "core/definition.hpp"
#include "core/problem.hpp"
#include "engine/attempts.hpp"
#include "engine/cancel.hpp"
#include "engine/pauses.hpp"
#include "engine/results.hpp"
#include "engine/trigger.hpp"
#include "engine/waits.hpp"

namespace orch::engine {

namespace {

namespace run_state = core::run_state;

struct ParentRow {
    int16 priority;
    std::optional<std::string> traceparent;
    std::optional<RunId> parent;
};

ParentRow parent_row(const RunId &run)
{
    static pg::Statement select("select r.priority, r.traceparent, r.parent_run_id from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    if (!leaf_exists(day_of(run))) return {0, {}, {}};
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return {0, {}, {}};
    ParentRow row{rows.int2(0, 1), {}, {}};
    if (!rows.is_null(0, 2)) row.traceparent = rows.text(0, 2);
    if (auto parent = rows.maybe(0, 3)) row.parent = pg::uuid_of(*parent);
    return row;
}

void check_generations(ParentRow row, const std::string &workflow)
{
    for (int above = 1; row.parent; above++) {
        if (above >= most_generations)
            throw expression_error{"recursion_too_deep", "a run of workflow " + core::in_quotes(workflow) + " would be the child of " +
                                                             std::to_string(most_generations) + " runs above each other, and no more are allowed"};
        row = parent_row(*row.parent);
    }
}

std::optional<Datum> replaced_input(const TaskRef &task)
{
    static pg::Statement select("select t.input from _orch.task_{} t where t.run_id = $1 and t.task_no = $2", {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(task.run), Parameters<2>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)));
    return rows.empty() ? std::nullopt : rows.maybe(0, 1);
}

Datum input_for(const TaskRef &task, const core::Json &definition, const core::Json &input)
{
    if (auto given = replaced_input(task)) return *given;
    const core::Json *own = core::member(definition, "input");
    if (!own && !input.is_null()) own = &input;
    return pg::jsonb_datum(own ? core::to_text(*own) : "{}");
}

RunId trigger_child(Call &call, const TaskRef &task, const ParentRow &parent, const Version &child, Datum input)
{
    TriggerOptions options;
    options.priority = std::clamp<int>(parent.priority, -most_priority, most_priority);
    options.traceparent = parent.traceparent;
    options.source = "child";
    options.parent = task;
    try {
        return trigger_version(call, child, input, options).run;
    } catch (const pg::error &e) {
        if (e.code != pg::limit_reached) throw;
        throw start_refused{"resource", "limit_reached", e.message};
    }
}

struct Child {
    int32 task_no;
    RunId run;
    char state = 0;  // 0 = its row is gone
    int32 version_id = 0;
};

// By the children's ids, with the states that they have.
std::vector<Child> with_states(std::vector<Child> children)
{
    static pg::Statement states("select r.run_id, r.state, r.version_id from _orch.run_{} r where r.run_id = any($1)", {UUIDARRAYOID});
    by_day(
        children, [](const Child &c) { return day_of(c.run); },
        [&](int day, size_t first, size_t last) {
            if (!leaf_exists(day)) return;
            pg::Column ids(UUIDOID);
            for (size_t i = first; i < last; i++) ids.add(children[i].run);
            const pg::Rows found = states.run_on(day, Parameters<1>().add(ids.array()));
            for (uint64 i = 0; i < found.count(); i++) {
                const RunId id = pg::uuid_of(found.get(i, 1));
                auto child = std::lower_bound(children.begin() + first, children.begin() + last, id, [](const Child &c, const RunId &r) { return c.run < r; });
                child->state = found.letter(i, 2);
                child->version_id = found.int4(i, 3);
            }
        });
    return children;
}

// The children that tasks of this run wait for, with the states that they have.
std::vector<Child> children_waited_for(const RunId &run)
{
    static pg::Statement select("select t.task_no, (e.payload ->> 'run_id')::uuid from _orch.task_{} t cross join lateral ("
                                " select i.payload from _orch.event_{} i where i.run_id = t.run_id and i.task_no = t.task_no and i.kind in (29, 40, 61)"
                                " order by i.no desc limit 1) e where t.run_id = $1 and t.state = 'w' and e.payload ? 'run_id' order by 2",
                                {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    std::vector<Child> children;
    for (uint64 i = 0; i < rows.count(); i++) children.push_back({rows.int4(i, 1), pg::uuid_of(rows.get(i, 2))});
    return with_states(std::move(children));
}

// What the child's end said, as the error of the task that waited for it.
Datum error_of(const Child &child)
{
    static pg::Statement select(
        "select e.payload from _orch.event_{} e where e.run_id = $1 and e.task_no = -1 and e.kind in (8, 9, 10) order by e.no desc limit 1", {UUIDOID});
    const std::string id = core::uuid_to_text(child.run);
    if (child.state == 0)
        return pg::jsonb_datum(core::to_text(
            core::Json{{"class", "validation"}, {"code", "child_gone"}, {"message", "child run " + id + " does not exist any more"}, {"run_id", id}}));
    const pg::Rows rows = select.run_on(day_of(child.run), Parameters<1>().add(pg::uuid_datum(child.run)));
    const bool has_own = !rows.empty() && !rows.is_null(0, 1);
    std::string error_class = "handler", code = "child_failed";
    if (child.state == run_state::cancelled) error_class = "cancelled", code = "child_cancelled";
    if (child.state == run_state::timed_out) error_class = "timeout", code = "child_timed_out";
    if (child.state == run_state::failed && has_own) error_class = pg::text_member(rows.get(0, 1), "class").value_or(error_class);
    const core::Json told{{"class", error_class},
                          {"code", code},
                          {"message", "child run " + id + " of workflow " + core::in_quotes(version_of(child.version_id).workflow) + " ended as " +
                                          std::string(core::run_state_name(child.state))},
                          {"run_id", id}};
    std::string text = core::to_text(told);
    if (has_own) text = text.substr(0, text.size() - 1) + R"(,"error":)" + pg::json_text_of(rows.get(0, 1)) + "}";
    return pg::jsonb_datum(text);
}

Datum ended_details(const Child &child)
{
    const std::string state = child.state ? std::string(core::run_state_name(child.state)) : "gone";
    return pg::jsonb_datum(core::to_text(core::Json{{"run_id", core::uuid_to_text(child.run)}, {"state", state}}));
}

// Those that are over end the tasks that wait for them.
bool settle_those(Call &call, const RunId &run, const std::vector<Child> &children)
{
    std::vector<EndedWait> succeeded;
    std::vector<EndedAttempt> others;
    for (const Child &child : children) {
        if (child.state && !core::is_final(child.state)) continue;
        const TaskRef task{run, child.task_no};
        const std::optional<Attempt> waiter = lock_waiting(task, false);
        if (!waiter) {
            shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, shared::TimerKind::run_at);
            continue;
        }
        // It may have ended in this very transaction.
        call.events().write();
        if (child.state == run_state::succeeded) {
            const RunLook look{child.run, &version_of(child.version_id), child.state, 0, 0, 0, {}, {}, {}, {}};
            const std::optional<Datum> output = output_of(look);
            succeeded.push_back({.task = task,
                                 .version = &version_of(waiter->version_id),
                                 .output = output ? *output : pg::jsonb_datum("null"),
                                 .by = EventKind::child_ended,
                                 .by_payload = ended_details(child)});
            continue;
        }
        others.push_back({.attempt = *waiter,
                          .how = child.state == run_state::timed_out ? HowEnded::timed_out : HowEnded::failed,
                          .error = error_of(child),
                          .from = core::task_state::waiting,
                          .first = EventKind::child_ended,
                          .first_payload = ended_details(child)});
    }
    const bool any = !succeeded.empty() || !others.empty();
    end_waits(call, succeeded, false);
    end_attempts(call, others);
    return any;
}

}  // namespace

InlineResult start_child(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, const core::Json &definition,
                         const core::Json &input)
{
    const core::Json *id = core::member(definition, "id");
    if (!id || !id->is_string()) throw expression_error{"child_invalid", "the id of a workflow is text"};
    const std::string workflow = id->get<std::string>();
    const Version *child = find_version(version.tenant, workflow);
    if (!child) throw expression_error{"unknown_workflow", "unknown workflow " + core::in_quotes(workflow)};
    const ParentRow parent = parent_row(task.run);
    check_generations(parent, workflow);

    const core::Json *close = core::member(definition, "parent_close"), *wait = core::member(definition, "wait");
    const std::string parent_close = close && close->is_string() ? close->get<std::string>() : "cancel";
    const std::string run = core::uuid_to_text(trigger_child(call, task, parent, *child, input_for(task, definition, input)));
    core::Json told{{"run_id", run}, {"workflow", workflow}, {"version", child->number}, {"parent_close", parent_close}};
    if (wait && wait->is_boolean() && !wait->get<bool>())
        return {core::task_state::succeeded,
                true,
                {{EventKind::child_started, core::to_text(told)}, {EventKind::task_succeeded, core::to_text(core::Json{{"run_id", run}})}},
                {}};
    InlineResult result{core::task_state::waiting, true, {}, {}};
    if (planned.timeout_seconds > 0) {
        result.due_at = call.now() + static_cast<int64>(planned.timeout_seconds * USECS_PER_SEC);
        told["due_at"] = stamp_of(*result.due_at);
    }
    result.told.push_back({EventKind::child_started, core::to_text(told)});
    return result;
}

std::optional<RunId> child_of(const TaskRef &task)
{
    const std::optional<WaitsFor> waits = waits_for(task);
    if (!waits || waits->kind != EventKind::child_started) return std::nullopt;
    return core::uuid_from_text(pg::text_member(waits->what, "run_id").value_or(""));
}

bool close_child(Call &call, const TaskRef &task)
{
    const std::optional<WaitsFor> waits = waits_for(task);
    if (!waits || waits->kind != EventKind::child_started || pg::text_member(waits->what, "parent_close").value_or("") == "abandon") return true;
    const std::optional<RunId> child = core::uuid_from_text(pg::text_member(waits->what, "run_id").value_or(""));
    return !child || cancel_by_engine(call, *child);
}

bool settle_children(Call &call, const RunId &run) { return settle_those(call, run, children_waited_for(run)); }

bool settle_child(Call &call, const TaskRef &task)
{
    static pg::Statement select("select t.state from _orch.task_{} t where t.run_id = $1 and t.task_no = $2", {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(task.run), Parameters<2>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)));
    if (rows.empty() || rows.letter(0, 1) == core::task_state::pending) return false;
    if (rows.letter(0, 1) != core::task_state::waiting) return true;
    if (const std::optional<RunId> child = child_of(task)) settle_those(call, task.run, with_states({{task.task_no, *child}}));
    return true;
}

void tell_parent(const std::optional<Datum> &parent_run, const std::optional<Datum> &parent_task)
{
    if (parent_run && parent_task) shared::on_commit_advance({pg::uuid_of(*parent_run), DatumGetInt32(*parent_task)});
}

}  // namespace orch::engine
