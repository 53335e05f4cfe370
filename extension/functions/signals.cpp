// orch.signal, signal_with_start and approve.
#include "engine/approve.hpp"
#include "engine/signal.hpp"
#include "functions/arguments.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum signal(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string name = arguments.text(1, "name");
    engine::require_primary("orch.signal()");
    Call call;
    engine::send_signal(call, run, name, arguments.maybe(2), in_callers_transaction());
    call.finish();
    return 0;
}

Datum signal_with_start(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const std::string workflow = arguments.text(0, "workflow");
    const std::string name = arguments.text(1, "name");
    const Datum input = arguments.required(3, "input");
    const std::optional<std::string> key = arguments.maybe_text(4);
    const engine::TriggerOptions options = options_from(arguments, 5);
    engine::require_primary("orch.signal_with_start()");
    Call call;
    const core::Uuid run = engine::signal_with_start(call, workflow, name, arguments.maybe(2), input, key, options, in_callers_transaction());
    call.finish();
    return pg::uuid_datum(run);
}

Datum approve(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::string task = arguments.text(1, "task");
    const engine::Decision decision{DatumGetBool(arguments.required(2, "approved")), arguments.maybe_text(3), arguments.maybe(4)};
    engine::require_primary("orch.approve()");
    Call call;
    engine::approve(call, run, task, decision, in_callers_transaction());
    call.finish();
    return 0;
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_signal, orch::functions::signal)
ORCH_FUNCTION(orch_signal_with_start, orch::functions::signal_with_start)
ORCH_FUNCTION(orch_approve, orch::functions::approve)
