// Who the workers are: a row each in _orch.worker, and a slot in shared memory for those who are there.
#include "core/problem.hpp"
#include "engine/lease.hpp"
#include "shared/workers.hpp"

namespace orch::engine {

namespace {

// Made when first asked for: a library has no constructors that run at load.
const std::vector<std::string> &default_handlers()
{
    static const auto *handlers = new std::vector<std::string>{":command", ":http"};
    return *handlers;
}

// Runners have no tenant of their own, nor have the workers of a session that acts for all.
constexpr std::string_view any_tenant;

struct WorkerRow {
    int32 worker_id;
    std::vector<std::string> queues;
    std::optional<std::vector<std::string>> handlers;
};

// A SQL runner acts for its role: nobody else may speak in its name, nor take the tasks that are its own.
constexpr std::string_view runner_prefix = "sql/";

void check_handlers(const std::vector<std::string> &handlers)
{
    for (const std::string &h : handlers)
        if (h.starts_with(':') && h != ":command" && h != ":http" && h != ":callable" && !h.starts_with(":code/"))
            throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                            "no worker can serve " + core::in_quotes(h),
                            {},
                            "Handlers are names, :command, :http, :callable and :code/WORKFLOW@LABEL."};
}

Datum text_array(const std::vector<std::string> &texts)
{
    pg::Column column(TEXTOID);
    for (const std::string &t : texts) column.add(pg::text_datum(t));
    return column.array();
}

WorkerRow row_of(const pg::Rows &rows)
{
    WorkerRow row{rows.int4(0, 1), pg::texts_of(rows.get(0, 2), "queues"), std::nullopt};
    if (auto handlers = rows.maybe(0, 3)) row.handlers = pg::texts_of(*handlers, "handlers");
    return row;
}

int open_slot(std::string_view tenant, std::string_view name, const WorkerRow &row)
{
    const std::vector<std::string> &handlers = row.handlers ? *row.handlers : default_handlers();
    const std::vector<std::string_view> queue_views(row.queues.begin(), row.queues.end()), handler_views(handlers.begin(), handlers.end());
    return shared::worker_open(row.worker_id, name, {queue_views, handler_views, tenant});
}

WorkerIdentity declare(Call &call, std::string_view tenant, std::string_view name, const WorkerDeclaration &declaration)
{
    static pg::Statement upsert(
        "insert into _orch.worker as w (worker, queues, handlers, version, metadata, started_at, tenant) values ($1, $2, $3, $4, $5, $6, $7)"
        " on conflict (tenant, worker) do update set queues = excluded.queues, handlers = excluded.handlers, version = excluded.version, metadata = "
        "excluded.metadata,"
        "  started_at = excluded.started_at, stopped_at = null"
        " returning worker_id, queues, handlers",
        {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, TEXTOID});
    Parameters<7> parameters;
    parameters.add(pg::text_datum(name)).add(text_array(declaration.queues));
    parameters.add(declaration.handlers ? std::optional<Datum>(text_array(*declaration.handlers)) : std::nullopt);
    parameters.add(declaration.version ? std::optional<Datum>(pg::text_datum(*declaration.version)) : std::nullopt);
    parameters.add(declaration.metadata).add(time_datum(call.now())).add(pg::text_datum(tenant));
    const WorkerRow row = row_of(upsert.run(parameters));
    return {std::string(name), row.worker_id, open_slot(tenant, name, row), std::string(tenant)};
}

}  // namespace

std::string tenant_of_workers(Oid role)
{
    std::string tenant = tenant_of(role);
    if (tenant == all_tenants) tenant = any_tenant;
    return tenant;
}

void require_worker_name(std::string_view name)
{
    if (name.empty() || name.size() > 128)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "a worker's id has " + std::to_string(name.size()) + " bytes, not 1 to 128", {}, {}};
    if (name.starts_with(runner_prefix))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "worker ids that begin with \"sql/\" are those of the engine's SQL runners", {}, "Choose another id."};
}

WorkerIdentity know_worker(Call &call, std::string_view name)
{
    static pg::Statement select("select worker_id, queues, handlers from _orch.worker where worker = $1 and tenant = $2", {TEXTOID, TEXTOID});
    require_worker_name(name);
    const std::string tenant = tenant_of_workers(call.caller());
    const int slot = shared::worker_find(tenant, name);
    if (slot != shared::no_slot)
        if (const int32 id = shared::worker_id_of(slot); id > 0) {
            shared::worker_called(slot);
            return {std::string(name), id, slot, tenant};
        }
    pg::Rows rows = select.run(Parameters<2>().add(pg::text_datum(name)).add(pg::text_datum(tenant)));
    if (rows.empty()) return start_worker(call, name, {{"default"}, std::nullopt, std::nullopt, std::nullopt});
    const WorkerRow row = row_of(rows);
    return {std::string(name), row.worker_id, open_slot(tenant, name, row), std::string(tenant)};
}

WorkerIdentity start_worker(Call &call, std::string_view name, const WorkerDeclaration &declaration)
{
    require_worker_name(name);
    if (declaration.queues.empty()) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "a worker needs at least one queue", {}, {}};
    if (declaration.handlers) check_handlers(*declaration.handlers);
    return declare(call, tenant_of_workers(call.caller()), name, declaration);
}

WorkerIdentity know_runner(Call &call, std::string_view name, const std::string &role)
{
    const int slot = shared::worker_find(any_tenant, name);
    if (slot != shared::no_slot)
        if (const int32 id = shared::worker_id_of(slot); id > 0) {
            shared::worker_called(slot);
            return {std::string(name), id, slot, {}};
        }
    // No queue stands for all of them.
    WorkerIdentity runner = declare(call, any_tenant, name, {{}, std::vector<std::string>{":sql/" + role}, std::nullopt, std::nullopt});
    shared::worker_is_runner(runner.slot);
    return runner;
}

int slot_of_worker(Call &, int32 worker_id)
{
    static pg::Statement select("select worker_id, queues, handlers, worker, tenant from _orch.worker where worker_id = $1", {INT4OID});
    const int slot = shared::worker_find(worker_id);
    if (slot != shared::no_slot) return slot;
    pg::Rows rows = select.run(Parameters<1>().add(Int32GetDatum(worker_id)));
    if (rows.empty()) return shared::no_slot;
    try {
        return open_slot(rows.text(0, 5), rows.text(0, 4), row_of(rows));
    } catch (const pg::error &) {
        // All slots are taken: its leases run out by themselves.
        return shared::no_slot;
    }
}

}  // namespace orch::engine
