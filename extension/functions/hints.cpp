// Waiting in Redis instead of holding a connection: a worker's rest, and how the notifier does.
#include "shared/hints.hpp"
#include "engine/lease.hpp"
#include "functions/arguments.hpp"
#include "shared/database.hpp"
#include "shared/settings.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum worker_rest(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.worker_rest()");
    pg::ResultSet result(fcinfo);
    const std::string name = arguments.text(0, "worker");
    const int64 silence = arguments.microseconds(1).value_or(shared::longest_rest_us);
    if (silence < 0 || silence > shared::longest_rest_us)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "a worker may rest for an hour at most, and not for a negative time", {}, {}};
    Call call;
    const engine::WorkerIdentity worker = engine::know_worker(call, name);
    const shared::Rest rest = shared::worker_rest(worker.slot, silence);
    pg::Column streams(TEXTOID);
    if (rest.rests && rest.connected) {
        const char *database = nullptr;
        pg::call_pg([&] { database = get_database_name(MyDatabaseId); });
        for (const std::string &stream : shared::hint_streams(worker.slot, database ? database : "")) streams.add(pg::text_datum(stream));
    }
    const Datum names = engine::to_outer(call, streams.array());
    call.finish();
    result.add<3>({BoolGetDatum(rest.rests), names, TimestampTzGetDatum(rest.at)});
    return 0;
}

std::string_view state_word(shared::NotifierState state)
{
    switch (state) {
    case shared::NotifierState::off: return "off";
    case shared::NotifierState::connecting: return "connecting";
    case shared::NotifierState::connected: return "connected";
    case shared::NotifierState::away: return "away";
    }
    return {};
}

Datum notifier_status(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    const shared::NotifierStatus s = shared::notifier_status();
    const bool wanted = settings::redis_url && *settings::redis_url;
    const bool runs = s.pid != 0;
    const auto text = [&](const char *t) { return runs && *t ? std::optional(pg::text_datum(t)) : std::nullopt; };
    result.add<5>({BoolGetDatum(wanted), pg::text_datum(state_word(runs ? s.state : shared::NotifierState::off)), text(s.place),
                   runs ? std::optional(TimestampTzGetDatum(s.since)) : std::nullopt, text(s.reason)});
    return 0;
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_worker_rest, orch::functions::worker_rest)
ORCH_FUNCTION(orch_private_notifier_status, orch::functions::notifier_status)
