#include "engine/refill.hpp"

#include "shared/routes.hpp"

namespace orch::engine {

namespace {

constexpr int64 rows_a_scan = 1'000;

}  // namespace

bool refill(int worker_slot)
{
    const int slot = shared::route_to_refill(worker_slot);
    return slot != shared::no_slot && refill_route(slot);
}

bool refill_route(int slot)
{
    static pg::Statement scan("select t.run_id, t.task_no, t.ready_at, t.priority from _orch.task_{} t"
                              " where t.run_id >= $1 and t.state = 'y' and t.route_id = $2 order by t.run_id, t.task_no limit $3",
                              {UUIDOID, INT4OID, INT8OID});

    RunId from;
    if (!shared::refill_begin(slot, from)) return false;
    const int32 route_id = shared::route_id_of(slot);
    bool found = false;
    RunId reached = shared::no_run;
    for (int day : leaf_days()) {
        if (day < day_of(from) || !lock_leaf(day)) continue;
        pg::Rows rows = scan.run_on(day, Parameters<3>().add(pg::uuid_datum(from)).add(Int32GetDatum(route_id)).add(Int64GetDatum(rows_a_scan)));
        for (uint64 i = 0; i < rows.count(); i++) {
            const TaskRef task{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)};
            if (!shared::refill_push(slot, task, sort_key(rows.time(i, 3), rows.int2(i, 4)))) {
                shared::refill_end(slot, task.run);
                return found;
            }
            found = true;
            // The last run may have more ready tasks than fitted under the limit: it is read again.
            reached = task.run;
        }
        if (rows.count() == static_cast<uint64>(rows_a_scan)) {
            shared::refill_end(slot, reached);
            return true;
        }
    }
    shared::refill_end(slot, shared::no_run);
    return found;
}

}  // namespace orch::engine
