// orch.replay and replay_check: the history as a proof of what the tables say.
#include "engine/replay.hpp"
#include "functions/arguments.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum replay(FunctionCallInfo fcinfo)
{
    const core::Uuid run = Arguments(fcinfo).uuid(0, "run");
    pg::ResultSet rows(fcinfo);
    Call call;
    for (const engine::RebuiltRow &r : engine::rebuild(engine::look_at_run(call, run)))
        rows.add<5>({r.task_id ? std::optional(pg::text_datum(*r.task_id)) : std::nullopt, pg::text_datum(r.state),
                     r.attempt ? std::optional(Int32GetDatum(*r.attempt)) : std::nullopt, r.output, r.error});
    call.finish();
    return 0;
}

Datum replay_check(FunctionCallInfo fcinfo)
{
    std::optional<TimestampTz> since;
    if (auto given = Arguments(fcinfo).maybe(0)) since = DatumGetTimestampTz(*given);
    pg::ResultSet rows(fcinfo);
    Call call;
    const auto text_or_null = [](const std::string &t) { return t.empty() ? std::nullopt : std::optional(pg::text_datum(t)); };
    engine::compare_with_events(call, since, [&](const engine::Difference &d) {
        rows.add<5>({pg::uuid_datum(d.run), d.task_id ? std::optional(pg::text_datum(*d.task_id)) : std::nullopt, pg::text_datum(d.what),
                     text_or_null(d.stored), text_or_null(d.replayed)});
    });
    call.finish();
    return 0;
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_replay, orch::functions::replay)
ORCH_FUNCTION(orch_replay_check, orch::functions::replay_check)
