#include "engine/run_row.hpp"

namespace orch::engine {

RunRow lock_run_row(Call &call, const RunId &run)
{
    static pg::Statement lock(
        "select r.state, coalesce(r.outcome, ''), r.version_id, r.started_at is not null, r.created_at, r.timeout_us from _orch.run_{} r where "
        "r.run_id = $1 and r.tenant = $2 for update",
        {UUIDOID, TEXTOID});
    if (leaf_exists(day_of(run))) {
        pg::Rows rows = lock.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(call.tenant())));
        if (!rows.empty()) {
            RunRow row{rows.letter(0, 1), rows.letter(0, 2), rows.int4(0, 3), rows.boolean(0, 4), rows.time(0, 5), {}};
            if (auto us = rows.maybe(0, 6)) row.timeout_us = DatumGetInt64(*us);
            return row;
        }
    }
    throw pg::error{pg::unknown_run, "unknown run " + core::uuid_to_text(run), {}, "See orch.runs for those that exist."};
}

}  // namespace orch::engine
