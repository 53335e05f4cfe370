#include "engine/refusals.hpp"

#include <set>

namespace orch::engine {

std::vector<TaskRef> record_refusals(Call &call, std::vector<RefusedSettle> refused)
{
    static pg::Statement update(
        "with l as materialized (select t.run_id, t.task_no from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
        " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no for update of t skip locked)"
        " update _orch.task_{} t set no = t.no + 1 from l where t.run_id = l.run_id and t.task_no = l.task_no returning t.run_id, t.task_no, t.no",
        {UUIDARRAYOID, INT4ARRAYOID});
    static pg::Statement look("select t.run_id, t.task_no from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                              " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no",
                              {UUIDARRAYOID, INT4ARRAYOID});
    std::vector<TaskRef> locked;
    std::stable_sort(refused.begin(), refused.end(), [](const RefusedSettle &a, const RefusedSettle &b) { return a.task < b.task; });
    refused.erase(std::unique(refused.begin(), refused.end(), [](const RefusedSettle &a, const RefusedSettle &b) { return a.task == b.task; }), refused.end());
    by_day(
        refused, [](const RefusedSettle &r) { return day_of(r.task.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID);
            for (size_t i = first; i < last; i++) {
                run.add(refused[i].task.run);
                task_no.add(Int32GetDatum(refused[i].task.task_no));
            }
            const auto tasks = Parameters<2>().add(run.array()).add(task_no.array());
            pg::Rows rows = update.run_on(day, tasks);
            std::set<TaskRef> written;
            for (uint64 i = 0; i < rows.count(); i++) {
                const TaskRef task{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)};
                written.insert(task);
                const auto r = std::lower_bound(refused.begin() + first, refused.begin() + last, task,
                                                [](const RefusedSettle &a, const TaskRef &key) { return a.task < key; });
                call.events().add({task.run, task.task_no, rows.int4(i, 3), EventKind::settle_refused, r->attempt, r->actor,
                                   pg::jsonb_datum(core::to_text(core::Json{{"status", r->status}, {"attempt", r->attempt}}))});
            }
            if (written.size() == last - first) return;
            // Those that are there at all.
            rows = look.run_on(day, tasks);
            for (uint64 i = 0; i < rows.count(); i++)
                if (const TaskRef task{pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)}; written.count(task) == 0) locked.push_back(task);
        });
    return locked;
}

}  // namespace orch::engine
