// orch.register_code, history, record, suspend, outcomes, park, unpark, continue_as_new: what a worker that runs workflows in code calls.
#include "core/states.hpp"
#include "engine/code_run.hpp"
#include "engine/register.hpp"
#include "functions/arguments.hpp"
#include "shared/database.hpp"

namespace orch::functions {

namespace {

using engine::Call;
using engine::CodeMain;
using engine::Parameters;

constexpr int most_rows_of_history = 100'000;

Datum register_code(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const std::string workflow = arguments.text(0, "workflow"), label = arguments.text(1, "version");
    const Datum options = arguments.required(2, "options");
    shared::require_preloaded();
    engine::require_primary("orch.register_code()");
    Call call;
    const engine::Registered registered = engine::register_code(call, workflow, label, options);
    call.finish();
    return one_row<3>(fcinfo, {pg::text_datum(registered.workflow), Int32GetDatum(registered.version), BoolGetDatum(registered.created)});
}

std::optional<Datum> output_if(const pg::Rows &rows, uint64 i, int column, char state, bool good)
{
    return (state == core::task_state::succeeded) == good ? rows.maybe(i, column) : std::nullopt;
}

Datum history(FunctionCallInfo fcinfo)
{
    // A subquery and no join: planned while the leaf was new, a join might read all events of the run for each row.
    static pg::Statement select(
        "select t.task_no, t.item, t.state,"
        " (select e.payload from _orch.event_{} e where e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no), t.finished_at"
        " from _orch.task_{} t where t.run_id = $1 and t.task_no > $2 order by t.task_no limit $3",
        {UUIDOID, INT4OID, INT8OID});
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.history()");
    pg::ResultSet result(fcinfo);
    const std::string lease = arguments.text(0, "lease");
    const int after = arguments.int4(1, "after"), max = arguments.int4(2, "max");
    if (max < 1 || max > most_rows_of_history)
        throw pg::error{
            ERRCODE_INVALID_PARAMETER_VALUE, "max " + std::to_string(max) + " is not between 1 and " + std::to_string(most_rows_of_history), {}, {}};
    Call call;
    const core::Uuid run = engine::run_to_read(call, lease);
    const auto parameters = Parameters<3>().add(pg::uuid_datum(run)).add(Int32GetDatum(std::max(after, 0))).add(Int64GetDatum(max));
    const pg::Rows rows = select.run_on(engine::day_of(run), parameters);
    for (uint64 i = 0; i < rows.count(); i++) {
        const char state = rows.letter(i, 3);
        const Datum item = rows.get(i, 2);
        result.add<7>({Int32GetDatum(rows.int4(i, 1)), pg::text_datum(pg::text_member(item, "id").value_or("")), item,
                       pg::text_datum(core::task_state_name(state)), output_if(rows, i, 4, state, true), output_if(rows, i, 4, state, false),
                       rows.maybe(i, 5)});
    }
    call.finish();
    return 0;
}

Datum record(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.record()");
    const std::string lease = arguments.text(0, "lease");
    const Datum steps = arguments.required(1, "steps");
    Call call;
    engine::record_steps(call, lease, steps);
    call.finish();
    return 0;
}

Datum suspend(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.suspend()");
    const std::string lease = arguments.text(0, "lease");
    const Datum waits = arguments.required(1, "waits");
    engine::require_own_transaction("orch.suspend");
    Call call;
    const bool suspended = engine::suspend(call, lease, waits);
    call.finish();
    return pg::text_datum(suspended ? "suspended" : "go_on");
}

Datum outcomes(FunctionCallInfo fcinfo)
{
    static pg::Statement select(
        "select t.item ->> 'id', t.state,"
        " (select e.payload from _orch.event_{} e where e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no), t.finished_at from ("
        " select i.* from _orch.task_{} i where i.run_id = $1 and i.task_no > 0 and i.item ->> 'id' = any($2) order by i.task_no desc limit $3) t"
        " where t.state in ('S', 'F', 'T', 'K', 'U', 'C') order by t.finished_at, t.task_no",
        {UUIDOID, TEXTARRAYOID, INT8OID});
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.outcomes()");
    pg::ResultSet result(fcinfo);
    const std::string lease = arguments.text(0, "lease");
    const Datum ids = arguments.required(1, "ids");
    const size_t count = pg::texts_of(ids, "ids").size();
    Call call;
    const CodeMain main = engine::look_at_main(call, lease);
    const pg::Rows rows =
        select.run_on(engine::day_of(main.run), Parameters<3>().add(pg::uuid_datum(main.run)).add(ids).add(Int64GetDatum(static_cast<int64>(count))));
    for (uint64 i = 0; i < rows.count(); i++) {
        const char state = rows.letter(i, 2);
        result.add<5>({pg::text_datum(rows.text(i, 1)), pg::text_datum(core::task_state_name(state)), output_if(rows, i, 3, state, true),
                       output_if(rows, i, 3, state, false), rows.maybe(i, 4)});
    }
    call.finish();
    return 0;
}

Datum park(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.park()");
    const std::string lease = arguments.text(0, "lease");
    const Datum error = arguments.required(1, "error");
    if (!pg::is_object(error))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "error must be a JSON object", {}, "Write {\"class\": \"validation\", \"message\": \"...\"}."};
    Call call;
    engine::park(call, lease, error);
    call.finish();
    return 0;
}

Datum unpark(FunctionCallInfo fcinfo)
{
    const core::Uuid run = Arguments(fcinfo).uuid(0, "run");
    engine::require_primary("orch.unpark()");
    Call call;
    engine::unpark(call, run);
    call.finish();
    return 0;
}

Datum continue_as_new(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.continue_as_new()");
    const std::string lease = arguments.text(0, "lease");
    const Datum input = arguments.required(1, "input");
    Call call;
    const core::Uuid next = engine::continue_as_new(call, lease, input);
    call.finish();
    return pg::uuid_datum(next);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_register_code, orch::functions::register_code)
ORCH_FUNCTION(orch_history, orch::functions::history)
ORCH_FUNCTION(orch_record, orch::functions::record)
ORCH_FUNCTION(orch_suspend, orch::functions::suspend)
ORCH_FUNCTION(orch_outcomes, orch::functions::outcomes)
ORCH_FUNCTION(orch_park, orch::functions::park)
ORCH_FUNCTION(orch_unpark, orch::functions::unpark)
ORCH_FUNCTION(orch_continue_as_new, orch::functions::continue_as_new)
