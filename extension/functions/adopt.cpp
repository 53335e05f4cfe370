// orch.adopt: a copy of a database becomes one of its own.
#include "functions/arguments.hpp"
#include "shared/launching.hpp"

namespace orch::functions {

namespace {

Datum adopt(FunctionCallInfo)
{
    static pg::Statement update("update _orch.installation set system_identifier = $1, database_oid = $2, adopted_at = $3 where (system_identifier, "
                                "database_oid) is distinct from ($1, $2)",
                                {INT8OID, OIDOID, TIMESTAMPTZOID});
    engine::Call call;
    update.run(engine::Parameters<3>()
                   .add(Int64GetDatum(static_cast<int64>(GetSystemIdentifier())))
                   .add(ObjectIdGetDatum(MyDatabaseId))
                   .add(engine::time_datum(call.now())));
    const bool was_held = update.processed() > 0;
    // The steward looks again once this is committed: it reads the runs and opens the database.
    if (was_held) shared::on_commit_recheck();
    call.finish();
    return BoolGetDatum(was_held);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_adopt, orch::functions::adopt)
