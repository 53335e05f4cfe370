// orch.create_token, revoke_token, admit, and the uses of tokens that only memory knows.
#include "engine/access.hpp"
#include "functions/arguments.hpp"
#include "pg/membership.hpp"
#include "shared/rates.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum create_token(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.create_token()");
    engine::NewToken wanted{arguments.text(0, "name"), arguments.text(1, "role"), arguments.maybe_text(2), {}};
    if (const auto at = arguments.maybe(3); at && !TIMESTAMP_IS_NOEND(DatumGetTimestampTz(*at))) wanted.expires_at = DatumGetTimestampTz(*at);
    Call call;
    const std::string token = engine::create_token(call, wanted);
    call.finish();
    return pg::text_datum(token);
}

Datum revoke_token(FunctionCallInfo fcinfo)
{
    const std::string name = Arguments(fcinfo).text(0, "name");
    engine::require_primary("orch.revoke_token()");
    Call call;
    const bool revoked = engine::revoke_token(call, name);
    call.finish();
    return BoolGetDatum(revoked);
}

Datum admit(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const engine::Admission a = engine::admit({arguments.maybe(0), arguments.maybe_text(1), arguments.maybe_text(2)});
    const auto text = [](const std::string &t) { return t.empty() ? std::nullopt : std::optional(pg::text_datum(t)); };
    const auto seconds = [](int64 us) { return Int32GetDatum(static_cast<int32>((us + USECS_PER_SEC - 1) / USECS_PER_SEC)); };
    std::optional<Datum> row[9] = {pg::text_datum(a.status), text(a.name), text(a.role), text(a.tenant)};
    if (a.expires_at) row[4] = TimestampTzGetDatum(*a.expires_at);
    if (a.rate.interval_us > 0) {
        row[5] = Int32GetDatum(static_cast<int32>(a.rate.capacity));
        row[6] = Int32GetDatum(static_cast<int32>(a.taken.remaining));
        row[7] = seconds(a.taken.full_us);
        if (!a.taken.granted) row[8] = seconds(a.taken.retry_us);
    }
    return one_row<9>(fcinfo, row);
}

Datum token_uses(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    for (const shared::TokenUse &use : shared::token_uses(false)) result.add<2>({Int32GetDatum(use.token_id), TimestampTzGetDatum(use.at)});
    return 0;
}

Datum is_bridge_session(FunctionCallInfo) { return BoolGetDatum(pg::is_bridge_session()); }

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_create_token, orch::functions::create_token)
ORCH_FUNCTION(orch_revoke_token, orch::functions::revoke_token)
ORCH_FUNCTION(orch_admit, orch::functions::admit)
ORCH_FUNCTION(orch_private_is_bridge_session, orch::functions::is_bridge_session)
ORCH_FUNCTION(orch_private_token_uses, orch::functions::token_uses)
