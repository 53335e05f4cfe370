#include "engine/results.hpp"

#include "core/states.hpp"
#include "engine/document.hpp"

namespace orch::engine {

namespace {

std::optional<Datum> last_words(const RunLook &run)
{
    static pg::Statement select("select e.payload from _orch.event_{} e where e.run_id = $1 and e.task_no = -1 and e.kind = $2 order by e.no desc limit 1",
                                {UUIDOID, INT2OID});
    const pg::Rows rows =
        select.run_on(day_of(run.id), Parameters<2>().add(pg::uuid_datum(run.id)).add(Int16GetDatum(static_cast<int16>(EventKind::run_succeeded))));
    return rows.empty() ? std::nullopt : rows.maybe(0, 1);
}

Datum outputs_of_leaves(const RunLook &run)
{
    static pg::Statement select(
        "select coalesce(jsonb_object_agg(u.id, coalesce(e.payload, 'null')), jsonb_build_object()) from unnest($2::int4[], $3::text[]) u(task_no, id)"
        " join _orch.task_{} t on t.run_id = $1 and t.task_no = u.task_no and t.state = 'S'"
        " left join _orch.event_{} e on e.run_id = $1 and e.task_no = u.task_no and e.no = t.output_no",
        {UUIDOID, INT4ARRAYOID, TEXTARRAYOID});
    pg::Column task_no(INT4OID), id(TEXTOID);
    for (int32 t = 0; t < run.version->plan.main_count; t++) {
        if (!run.version->task(t).children.empty()) continue;
        task_no.add(Int32GetDatum(t));
        id.add(pg::text_datum(run.version->task(t).id));
    }
    return select.run_on(day_of(run.id), Parameters<3>().add(pg::uuid_datum(run.id)).add(task_no.array()).add(id.array())).get(0, 1);
}

// What the function returned.
std::optional<Datum> output_of_code(const RunLook &run)
{
    static pg::Statement select("select e.payload from _orch.task_{} t join _orch.event_{} e on e.run_id = t.run_id and e.task_no = 0 and e.no = t.output_no"
                                " where t.run_id = $1 and t.task_no = 0",
                                {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run.id), Parameters<1>().add(pg::uuid_datum(run.id)));
    return rows.empty() ? std::nullopt : rows.maybe(0, 1);
}

}  // namespace

std::optional<Datum> output_of(const RunLook &run)
{
    if (run.state != core::run_state::succeeded) return std::nullopt;
    if (run.version->is_code()) return output_of_code(run);
    if (auto words = last_words(run)) return words;
    return outputs_of_leaves(run);
}

std::vector<std::optional<Datum>> task_outputs(const RunLook &run)
{
    static pg::Statement select(
        "select t.task_no, (select e.payload from _orch.event_{} e where e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no)"
        " from _orch.task_{} t where t.run_id = $1 and t.state = 'S'",
        {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run.id), Parameters<1>().add(pg::uuid_datum(run.id)));
    std::vector<std::optional<Datum>> outputs(run.version->task_count());
    for (uint64 i = 0; i < rows.count(); i++) {
        const auto task = static_cast<size_t>(rows.int4(i, 1));
        if (task >= outputs.size()) outputs.resize(task + 1);
        outputs[task] = rows.maybe(i, 2);
    }
    return outputs;
}

std::optional<Datum> input_of_task(const RunLook &run, int32 task_no)
{
    static pg::Statement given("select t.input from _orch.task_{} t where t.run_id = $1 and t.task_no = $2", {UUIDOID, INT4OID});
    if (task_no < 0) return std::nullopt;
    const pg::Rows rows = given.run_on(day_of(run.id), Parameters<2>().add(pg::uuid_datum(run.id)).add(Int32GetDatum(task_no)));
    if (!rows.empty())
        if (auto replaced = rows.maybe(0, 1)) return replaced;
    if (task_no >= run.version->task_count()) return std::nullopt;
    if (run.version->is_code()) return pg::jsonb_datum(input_of(run.id));

    const core::PlannedTask &task = run.version->task(task_no);
    if (task.input.is_null()) return std::nullopt;
    Document document(run.id, *run.version);
    if (task.references_run) document.facts(facts_of(run.id));
    try {
        return pg::jsonb_datum(document.resolve(task, task.input));
    } catch (const expression_error &) {
        return std::nullopt;
    }
}

}  // namespace orch::engine
