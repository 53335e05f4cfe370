#include "engine/approve.hpp"

#include "core/problem.hpp"
#include "engine/run_row.hpp"
#include "engine/task_of.hpp"
#include "engine/waits.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

// By the plan, or among those that the run made on its way.
int32 number_of_task(const Version &version, const RunId &run, const std::string &id)
{
    static pg::Statement select("select t.task_no from _orch.task_{} t where t.run_id = $1 and t.item ->> 'id' = $2", {UUIDOID, TEXTOID});
    if (const int32 planned = version.plan.find(id); planned >= 0) return planned;
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(id)));
    if (rows.empty())
        throw pg::error{ERRCODE_UNDEFINED_OBJECT, "run " + core::uuid_to_text(run) + " has no task " + core::in_quotes(id), {}, "See orch.approvals."};
    return rows.int4(0, 1);
}

bool is_member(Oid caller, const std::string &role)
{
    const char *name = role.c_str();
    bool member = false;
    pg::call_pg([&] {
        const Oid wanted = get_role_oid(name, true);
        member = OidIsValid(wanted) && is_member_of_role(caller, wanted);
    });
    return member;
}

void require_right(Call &call, const std::string &id, Datum asked)
{
    std::string names;
    const std::optional<Datum> approval = pg::member(asked, "approval");
    const std::optional<Datum> roles = approval ? pg::member(*approval, "roles") : std::nullopt;
    if (!roles) {
        if (is_member(call.caller(), "orch_operator")) return;
        names = "orch_operator";
    } else if (const auto list = pg::elements(*roles)) {
        for (const Datum element : *list) {
            const std::string role = pg::json_text_of(element);
            auto parsed = core::parse(role);
            const core::Json *name = std::get_if<core::Json>(&parsed);
            if (!name || !name->is_string()) continue;
            if (is_member(call.caller(), name->get<std::string>())) return;
            names += (names.empty() ? "" : ", ") + name->get<std::string>();
        }
    }
    throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "role \"" + pg::role_name(call.caller()) + "\" may not decide task " + core::in_quotes(id),
                    "Members of these roles may: " + names + ".",
                    {}};
}

struct Decided {
    char state;
    std::optional<Datum> output;
};

Decided row_of(const TaskRef &task)
{
    static pg::Statement select("select t.state, e.payload from _orch.task_{} t left join _orch.event_{} e"
                                " on e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no where t.run_id = $1 and t.task_no = $2",
                                {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(task.run), Parameters<2>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)));
    return {rows.letter(0, 1), rows.maybe(0, 2)};
}

// Whether the task was decided like that before; a word without a form agrees with any.
bool is_decided_so(const Decided &row, const Decision &decision)
{
    if (row.state != core::task_state::succeeded || !row.output) return false;
    if (pg::bool_member(*row.output, "approved") != decision.approved) return false;
    const std::optional<Datum> form = pg::member(*row.output, "form");
    return !decision.form || (form && pg::jsonb_equal(*form, *decision.form));
}

}  // namespace

void approve(Call &call, const RunId &run, const std::string &id, const Decision &decision, bool deferred)
{
    refuse_large("the form", decision.form);
    require_open();
    const RunRow run_row = lock_run_row(call, run);
    const Version &version = version_of(run_row.version_id);
    const TaskRef task{run, number_of_task(version, run, id)};
    const core::PlannedTask &planned = task_of(version, run, task.task_no);
    if (planned.executor != core::Executor::approval)
        throw pg::error{pg::wrong_state, "task " + core::in_quotes(id) + " is no approval",
                        "Its executor is " + std::string(core::executor_name(planned.executor)) + ".", "See orch.approvals for those that wait."};
    if (const std::optional<WaitsFor> asked = waits_for(task)) require_right(call, id, asked->what);
    const std::optional<Attempt> waiter = lock_waiting(task, true);
    if (!waiter) {
        const Decided row = row_of(task);
        if (is_decided_so(row, decision)) return;
        std::string detail = "It is " + std::string(core::task_state_name(row.state)) + ".";
        if (row.state == core::task_state::succeeded && row.output)
            detail = std::string(pg::bool_member(*row.output, "approved").value_or(false) ? "It was approved" : "It was not approved") + " by \"" +
                     pg::text_member(*row.output, "by").value_or("") + "\".";
        throw pg::error{pg::wrong_state, "task " + core::in_quotes(id) + " does not wait for a decision", detail, {}};
    }
    ForceSyncCommit();
    core::Json output{{"approved", decision.approved}, {"by", deed_name(call.caller())}, {"comment", nullptr}};
    if (decision.comment) output["comment"] = *decision.comment;
    const std::string text = core::to_text(output);
    const Datum told = pg::jsonb_datum(text.substr(0, text.size() - 1) + R"(,"form":)" + (decision.form ? pg::json_text_of(*decision.form) : "null") + "}");
    end_waits(call, {{.task = task, .version = &version, .output = told, .actor = call.role_actor()}}, deferred);
}

}  // namespace orch::engine
