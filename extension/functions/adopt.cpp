// orch.adopt: a copy of a database becomes one of its own.
#include "engine/installation.hpp"
#include "functions/arguments.hpp"
#include "shared/launching.hpp"

namespace orch::functions {

namespace {

Datum adopt(FunctionCallInfo)
{
    engine::require_primary("orch.adopt()");
    engine::Call call;
    const bool was_held = engine::adopt(call);
    // The steward looks again once this is committed: it reads the runs and opens the database.
    if (was_held) shared::on_commit_recheck();
    call.finish();
    return BoolGetDatum(was_held);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_adopt, orch::functions::adopt)
