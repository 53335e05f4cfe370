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
    shared::on_commit_run_state(row.state, cancelling);
    shared::on_commit_cancel(run);
    return core::run_state_name(core::run_state::cancelling);
}

bool cancel_by_engine(Call &call, const RunId &run)
{
    static pg::Statement update(
        "with l as materialized (select r.run_id, r.state from _orch.run_{} r where r.run_id = $1 and r.state in ('q', 'd', 'r', 'p')"
        " for update of r skip locked)"
        " update _orch.run_{} r set state = 'c', no = r.no + 1,"
        " outcome = case when r.state in ('q', 'd') then 'c' else r.outcome end from l where r.run_id = l.run_id returning r.no, l.state",
        {UUIDOID});
    static pg::Statement look("select 1 from _orch.run_{} r where r.run_id = $1 and r.state in ('q', 'd', 'r', 'p')", {UUIDOID});
    if (!leaf_exists(day_of(run))) return true;
    const Parameters<1> id = Parameters<1>().add(pg::uuid_datum(run));
    const pg::Rows rows = update.run_on(day_of(run), id);
    if (rows.empty()) return look.run_on(day_of(run), id).empty();
    call.events().add({run, run_itself, rows.int4(0, 1), EventKind::run_cancel_requested, 0, call.engine_actor()});
    shared::on_commit_run_state(rows.letter(0, 2), core::run_state::cancelling);
    shared::on_commit_cancel(run);
    return true;
}

}  // namespace orch::engine
