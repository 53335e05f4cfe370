#include "engine/task_of.hpp"

#include "engine/route.hpp"
#include "pg/column.hpp"

namespace orch::engine {

namespace {

using Items = std::map<shared::TaskRef, core::PlannedTask>;

// Leaked on purpose: a destructor would run at exit, after PostgreSQL is gone.
Items &items()
{
    static Items *instance = new Items;
    return *instance;
}

Datum item_of(const RunId &run, int32 task_no)
{
    static pg::Statement select("select t.item from _orch.task_{} t where t.run_id = $1 and t.task_no = $2", {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(run), pg::Parameters<2>().add(pg::uuid_datum(run)).add(Int32GetDatum(task_no)));
    if (rows.empty() || rows.is_null(0, 1))
        throw pg::error{ERRCODE_INTERNAL_ERROR, "task " + std::to_string(task_no) + " of run " + core::uuid_to_text(run) + " has no definition", {}, {}};
    return rows.get(0, 1);
}

}  // namespace

const core::PlannedTask &task_of(const Version &version, const RunId &run, int32 task_no, std::optional<Datum> item)
{
    if (task_no < version.task_count()) return version.task(task_no);
    Items &known = items();
    const auto found = known.find({run, task_no});
    if (found != known.end()) return found->second;
    auto parsed = core::parse(pg::json_text_of(item ? *item : item_of(run, task_no)), {.max_bytes = SIZE_MAX, .exact_integers = false});
    return known.emplace(shared::TaskRef{run, task_no}, core::compile_step(std::get<core::Json>(parsed), version.task(0).queue)).first->second;
}

shared::RouteNames route_names(const Version &version, const core::PlannedTask &made)
{
    return {version.extension, made.queue, made.handler, version.tenant, made.circuit, made.has_fallback};
}

int route_slot_of(const Version &version, const shared::TaskRef &task)
{
    if (task.task_no < version.task_count()) return route_slot_of(version, task.task_no);
    const core::PlannedTask &made = task_of(version, task.run, task.task_no);
    const shared::RouteNames names = route_names(version, made);
    return shared::route_slot(route_id(names), names);
}

void forget_items()
{
    if (!items().empty()) items().clear();
}

}  // namespace orch::engine
