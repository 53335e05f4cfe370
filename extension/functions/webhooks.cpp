// orch.create_hook, drop_hook, receive_hook; notify_on, drop_notification, delivery.
#include "core/states.hpp"
#include "engine/hook.hpp"
#include "engine/notify.hpp"
#include "functions/arguments.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum made_secret(FunctionCallInfo fcinfo, const std::optional<std::string> &secret)
{
    fcinfo->isnull = !secret;
    return secret ? pg::text_datum(*secret) : 0;
}

Datum create_hook(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const engine::HookDefinition definition{arguments.text(0, "hook"), arguments.text(1, "workflow"), arguments.maybe_text(2),
                                            arguments.maybe(3),        arguments.text(4, "format"),   arguments.maybe_text(5)};
    engine::require_primary("orch.create_hook()");
    Call call;
    const std::optional<std::string> secret = engine::create_hook(call, definition);
    call.finish();
    return made_secret(fcinfo, secret);
}

Datum drop_hook(FunctionCallInfo fcinfo)
{
    const std::string name = Arguments(fcinfo).text(0, "hook");
    engine::require_primary("orch.drop_hook()");
    Call call;
    const bool dropped = engine::drop_hook(call, name);
    call.finish();
    return BoolGetDatum(dropped);
}

Datum receive_hook(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const std::string name = arguments.text(0, "hook");
    const Datum body = arguments.required(1, "body");
    const Datum headers = arguments.required(2, "headers");
    engine::require_primary("orch.receive_hook()");
    bytea *bytes = nullptr;
    pg::call_pg([&] { bytes = DatumGetByteaPP(body); });
    Call call;
    const engine::Received received = engine::receive_hook(call, name, {VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)}, headers);
    call.finish();
    return one_row<3>(fcinfo, {pg::uuid_datum(received.run), BoolGetDatum(received.created), pg::text_datum(core::run_state_name(received.state))});
}

Datum notify_on(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const engine::NotificationDefinition definition{arguments.text(0, "name"), arguments.maybe_text(1), pg::texts_of(arguments.required(3, "events"), "events"),
                                                    arguments.text(2, "url"), arguments.maybe_text(4)};
    engine::require_primary("orch.notify_on()");
    Call call;
    const std::optional<std::string> secret = engine::notify_on(call, definition);
    call.finish();
    return made_secret(fcinfo, secret);
}

Datum drop_notification(FunctionCallInfo fcinfo)
{
    const std::string name = Arguments(fcinfo).text(0, "name");
    engine::require_primary("orch.drop_notification()");
    Call call;
    const bool dropped = engine::drop_notification(call, name);
    call.finish();
    return BoolGetDatum(dropped);
}

Datum delivery(FunctionCallInfo fcinfo)
{
    const std::string lease = Arguments(fcinfo).text(0, "lease");
    pg::ResultSet result(fcinfo);
    engine::require_primary("orch.delivery()");
    Call call;
    const std::optional<engine::Outgoing> outgoing = engine::delivery_of(call, lease);
    const Datum headers = outgoing ? engine::to_outer(call, outgoing->headers) : 0;
    call.finish();
    if (outgoing) result.add<3>({pg::text_datum(outgoing->url), headers, pg::text_datum(outgoing->body)});
    return 0;
}

Datum url_origin(FunctionCallInfo fcinfo)
{
    const auto origin = core::origin_of_url(Arguments(fcinfo).text(0, "url"));
    fcinfo->isnull = !origin;
    return origin ? pg::text_datum(*origin) : 0;
}

Datum event_names(FunctionCallInfo fcinfo)
{
    const int16 bits = DatumGetInt16(Arguments(fcinfo).required(0, "events"));
    pg::Column names(TEXTOID);
    for (const core::NotifiedEvent &event : core::notified_events())
        if (bits & event.bit) names.add(pg::text_datum(event.name));
    return names.array();
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_create_hook, orch::functions::create_hook)
ORCH_FUNCTION(orch_drop_hook, orch::functions::drop_hook)
ORCH_FUNCTION(orch_receive_hook, orch::functions::receive_hook)
ORCH_FUNCTION(orch_notify_on, orch::functions::notify_on)
ORCH_FUNCTION(orch_drop_notification, orch::functions::drop_notification)
ORCH_FUNCTION(orch_delivery, orch::functions::delivery)
ORCH_FUNCTION(orch_private_url_origin, orch::functions::url_origin)
ORCH_FUNCTION(orch_private_event_names, orch::functions::event_names)
