// orch.trigger and its forms, cancel, retry, redrive, discard.
#include "core/states.hpp"
#include "engine/cancel.hpp"
#include "engine/erase.hpp"
#include "engine/reopen.hpp"
#include "engine/trigger.hpp"
#include "functions/arguments.hpp"
#include "pg/cursor.hpp"
#include "shared/database.hpp"

namespace orch::functions {

namespace {

using engine::Call;
using engine::Triggered;
using engine::TriggerOptions;
using Key = std::optional<std::string>;

Triggered trigger_one(const Arguments &arguments)
{
    const std::string workflow = arguments.text(0, "workflow");
    const Datum input = arguments.required(1, "input");
    const Key key = arguments.maybe_text(2);
    const TriggerOptions options = options_from(arguments, 3);
    Call call;
    const Triggered triggered = engine::trigger(call, workflow, {&input, 1}, {&key, 1}, options).front();
    call.finish();
    return triggered;
}

Datum trigger(FunctionCallInfo fcinfo) { return pg::uuid_datum(trigger_one(Arguments(fcinfo)).run); }

Datum trigger_run(FunctionCallInfo fcinfo)
{
    const Triggered t = trigger_one(Arguments(fcinfo));
    return one_row<3>(fcinfo, {pg::uuid_datum(t.run), BoolGetDatum(t.created), pg::text_datum(core::run_state_name(t.state))});
}

std::vector<Key> keys_from(Datum array, size_t expected)
{
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    pg::call_pg([&] { deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count); });
    if (static_cast<size_t>(count) != expected)
        throw pg::error{
            ERRCODE_ARRAY_SUBSCRIPT_ERROR, "idempotency_keys has " + std::to_string(count) + " elements, inputs has " + std::to_string(expected), {}, {}};
    std::vector<Key> keys(count);
    for (int i = 0; i < count; i++)
        if (!nulls[i]) keys[i] = pg::text_of(elements[i]);
    return keys;
}

Datum trigger_many(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    pg::ResultSet result(fcinfo);
    const std::string workflow = arguments.text(0, "workflow");
    const Datum array = arguments.required(1, "inputs");
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    pg::call_pg([&] { deconstruct_array(DatumGetArrayTypeP(array), JSONBOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count); });
    for (int i = 0; i < count; i++)
        if (nulls[i])
            throw pg::error{ERRCODE_NULL_VALUE_NOT_ALLOWED, "input " + std::to_string(i + 1) + " is null", {}, "Write 'null'::jsonb for a JSON null."};
    std::vector<Key> keys;
    if (!arguments.is_null(2)) keys = keys_from(*arguments.maybe(2), count);
    const TriggerOptions options = options_from(arguments, 3);
    Call call;
    const std::vector<Triggered> runs = engine::trigger(call, workflow, {elements, static_cast<size_t>(count)}, keys, options);
    call.finish();
    for (size_t i = 0; i < runs.size(); i++)
        result.add<3>({Int32GetDatum(static_cast<int32>(i + 1)), pg::uuid_datum(runs[i].run), BoolGetDatum(runs[i].created)});
    return 0;
}

// The query belongs to the caller: it is opened and read as the caller, outside the engine's session, and only its rows come in.
Datum trigger_query(FunctionCallInfo fcinfo)
{
    constexpr int64 rows_a_time = 10'000;
    const Arguments arguments(fcinfo);
    const std::string workflow = arguments.text(0, "workflow");
    const std::string query = arguments.text(1, "query");
    const TriggerOptions options = options_from(arguments, 2);
    shared::require_preloaded();
    engine::require_primary("orch.trigger_query()");
    pg::call_pg([] { SPI_connect(); });
    pg::Cursor cursor(query);
    int64 created = 0;
    for (pg::Rows rows = cursor.next(rows_a_time); !rows.empty(); rows = cursor.next(rows_a_time)) {
        if (rows.columns() < 1 || rows.columns() > 2 || rows.type(1) != JSONBOID || (rows.columns() == 2 && rows.type(2) != TEXTOID))
            throw pg::error{ERRCODE_DATATYPE_MISMATCH,
                            "the query must return the input as jsonb, and perhaps the idempotency key as text",
                            {},
                            "Write select to_jsonb(t), t.id::text from ... t."};
        std::vector<Datum> inputs;
        std::vector<Key> keys;
        for (uint64 i = 0; i < rows.count(); i++) {
            if (rows.is_null(i, 1)) throw pg::error{ERRCODE_NULL_VALUE_NOT_ALLOWED, "the query returned a null input", {}, {}};
            inputs.push_back(rows.get(i, 1));
            if (rows.columns() == 2) keys.push_back(rows.is_null(i, 2) ? Key() : Key(rows.text(i, 2)));
        }
        Call call;
        for (const Triggered &t : engine::trigger(call, workflow, inputs, keys, options)) created += t.created;
        call.finish();
    }
    cursor.close();
    pg::call_pg([] { SPI_finish(); });
    return Int64GetDatum(created);
}

Datum cancel(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    engine::require_primary("orch.cancel()");
    const bool force = !arguments.is_null(1) && DatumGetBool(*arguments.maybe(1));
    Call call;
    const std::string_view state = engine::cancel(call, run, force);
    call.finish();
    return pg::text_datum(state);
}

Datum retry(FunctionCallInfo fcinfo)
{
    const core::Uuid run = Arguments(fcinfo).uuid(0, "run");
    engine::require_primary("orch.retry()");
    Call call;
    const std::string_view state = engine::retry(call, run);
    call.finish();
    return pg::text_datum(state);
}

Datum redrive(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    pg::ResultSet result(fcinfo);
    const int64 id = DatumGetInt64(arguments.required(0, "id"));
    engine::require_primary("orch.redrive()");
    Call call;
    const std::vector<engine::Redriven> redriven = engine::redrive(call, id, arguments.maybe(1));
    call.finish();
    for (const engine::Redriven &r : redriven) result.add<2>({pg::uuid_datum(r.run), pg::text_datum(r.task_id)});
    return 0;
}

Datum discard(FunctionCallInfo fcinfo)
{
    const int64 id = DatumGetInt64(Arguments(fcinfo).required(0, "id"));
    engine::require_primary("orch.discard()");
    Call call;
    engine::discard(call, id);
    call.finish();
    return 0;
}

Datum delete_run(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string reason = arguments.text(1, "reason");
    engine::require_primary("orch.delete_run()");
    Call call;
    engine::delete_run(call, run, reason);
    call.finish();
    return 0;
}

Datum erase(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string reason = arguments.text(1, "reason");
    engine::require_primary("orch.erase()");
    Call call;
    const bool erased = engine::erase(call, run, reason);
    call.finish();
    return BoolGetDatum(erased);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_trigger, orch::functions::trigger)
ORCH_FUNCTION(orch_trigger_run, orch::functions::trigger_run)
ORCH_FUNCTION(orch_trigger_many, orch::functions::trigger_many)
ORCH_FUNCTION(orch_trigger_query, orch::functions::trigger_query)
ORCH_FUNCTION(orch_cancel, orch::functions::cancel)
ORCH_FUNCTION(orch_retry, orch::functions::retry)
ORCH_FUNCTION(orch_redrive, orch::functions::redrive)
ORCH_FUNCTION(orch_discard, orch::functions::discard)
ORCH_FUNCTION(orch_delete_run, orch::functions::delete_run)
ORCH_FUNCTION(orch_erase, orch::functions::erase)
