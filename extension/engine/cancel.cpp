#include "engine/cancel.hpp"

#include "core/state_changes.hpp"
#include "engine/run_row.hpp"

namespace orch::engine {

std::string_view cancel(Call &call, const RunId &run, bool force)
{
    using core::run_goes, core::run_state::cancelling;
    static_assert(run_goes(core::run_state::queued, cancelling, EventKind::run_cancel_requested) &&
                  run_goes(core::run_state::scheduled, cancelling, EventKind::run_cancel_requested) &&
                  run_goes(core::run_state::running, cancelling, EventKind::run_cancel_requested));
    static pg::Statement update(
        "update _orch.run_{} set state = 'c', no = no + $2, outcome = case when $3 then 'c' else outcome end where run_id = $1 returning no",
        {UUIDOID, INT4OID, BOOLOID});
    require_open();
    const RunRow row = lock_run_row(call, run);
    if (core::is_final(row.state))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " is over", "It " + std::string(core::run_state_name(row.state)) + ".", {}};
    const bool first = row.state != core::run_state::cancelling;
    // A run that never started has nothing to clean up after.
    const bool skip_finally = force || row.state == core::run_state::queued || row.state == core::run_state::scheduled;
    ForceSyncCommit();
    pg::Rows rows = update.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(Int32GetDatum(first ? 1 : 0)).add(BoolGetDatum(skip_finally)));
    if (first) call.events().add({run, run_itself, rows.int4(0, 1), EventKind::run_cancel_requested, 0, call.role_actor()});
    shared::on_commit_cancel(run);
    return core::run_state_name(core::run_state::cancelling);
}

}  // namespace orch::engine
