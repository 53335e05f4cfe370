#include "engine/version.hpp"

#include "core/problem.hpp"

#include "pg/column.hpp"
#include "pg/session.hpp"
#include "pg/statement.hpp"
#include "shared/routes.hpp"

namespace orch::engine {

namespace {

using pg::Parameters;

struct Cache {
    Oid extension = InvalidOid;
    std::unordered_map<int32, std::unique_ptr<Version>> versions;
    size_t tasks = 0;
};

// Leaked on purpose: a destructor would run at exit, after PostgreSQL is gone.
Cache &cache()
{
    static Cache *instance = new Cache;
    // Ids start anew when the extension was dropped and made again.
    const Oid extension = pg::extension_oid();
    if (instance->extension != extension) {
        instance->versions.clear();
        instance->tasks = 0;
        instance->extension = extension;
    }
    return *instance;
}

constexpr size_t tasks_worth_keeping = 1'000'000;

std::unique_ptr<Version> load(int32 version_id)
{
    static pg::Statement select_version("select v.workflow_id, v.version, w.workflow, w.tenant, v.created_by::text, v.spec"
                                        " from _orch.version v join _orch.workflow w on w.workflow_id = v.workflow_id where v.version_id = $1",
                                        {INT4OID});
    static pg::Statement select_routes(
        "select t.task_no, coalesce(t.route_id, 0), coalesce(r.handler, '') from _orch.version_task t left join _orch.route r on r.route_id = t.route_id"
        " where t.version_id = $1 order by t.task_no",
        {INT4OID});

    pg::Rows rows = select_version.run(Parameters<1>().add(Int32GetDatum(version_id)));
    if (rows.empty()) throw pg::error{pg::unknown_workflow, "there is no version with the internal number " + std::to_string(version_id), {}, {}};
    auto version = std::make_unique<Version>();
    version->version_id = version_id;
    version->workflow_id = rows.int4(0, 1);
    version->number = rows.int4(0, 2);
    version->workflow = rows.text(0, 3);
    version->tenant = rows.text(0, 4);
    version->created_by = rows.text(0, 5);
    auto parsed = core::parse(pg::json_text_of(rows.get(0, 6)), {.max_bytes = SIZE_MAX, .exact_integers = false});
    version->plan = core::compile(std::get<core::Json>(parsed));

    const size_t count = version->plan.tasks.size();
    version->waits = std::any_of(version->plan.tasks.begin(), version->plan.tasks.end(), [](const core::PlannedTask &t) {
        return t.executor == core::Executor::signal || t.executor == core::Executor::workflow || t.executor == core::Executor::code;
    });
    version->route_ids.resize(count);
    version->handlers.resize(count);
    version->specs.resize(count);
    version->inputs.resize(count);
    rows = select_routes.run(Parameters<1>().add(Int32GetDatum(version_id)));
    for (uint64 i = 0; i < rows.count(); i++) {
        version->route_ids.at(rows.int4(i, 1)) = rows.int4(i, 2);
        version->handlers.at(rows.int4(i, 1)) = rows.text(i, 3);
    }
    return version;
}

}  // namespace

const Version &version_of(int32 version_id)
{
    Cache &c = cache();
    auto found = c.versions.find(version_id);
    if (found != c.versions.end()) return *found->second;
    auto version = load(version_id);
    version->extension = c.extension;
    c.tasks += version->plan.tasks.size();
    return *c.versions.emplace(version_id, std::move(version)).first->second;
}

Current current_version(std::string_view tenant, std::string_view workflow, std::optional<int32> number)
{
    static pg::Statement latest("select version_id, paused from _orch.workflow where tenant = $1 and workflow = $2", {TEXTOID, TEXTOID});
    static pg::Statement numbered("select v.version_id, w.paused from _orch.workflow w join _orch.version v on v.workflow_id = w.workflow_id where w.tenant = "
                                  "$1 and w.workflow = $2 and v.version = $3",
                                  {TEXTOID, TEXTOID, INT4OID});

    Parameters<3> parameters;
    parameters.add(pg::text_datum(tenant)).add(pg::text_datum(workflow));
    if (number) parameters.add(Int32GetDatum(*number));
    pg::Rows rows = number ? numbered.run(parameters) : latest.run(parameters);
    if (rows.empty()) {
        const std::string name = core::in_quotes(workflow);
        if (number)
            throw pg::error{
                pg::unknown_workflow, "workflow " + name + " has no version " + std::to_string(*number), {}, "See orch.versions for those that exist."};
        throw pg::error{pg::unknown_workflow, "unknown workflow " + name, {}, "Register it with orch.register, or see orch.workflows for those that exist."};
    }
    return {&version_of(rows.int4(0, 1)), rows.boolean(0, 2)};
}

const Version *find_version(std::string_view tenant, std::string_view workflow)
{
    static pg::Statement latest("select version_id from _orch.workflow where tenant = $1 and workflow = $2", {TEXTOID, TEXTOID});
    const pg::Rows rows = latest.run(Parameters<2>().add(pg::text_datum(tenant)).add(pg::text_datum(workflow)));
    return rows.empty() ? nullptr : &version_of(rows.int4(0, 1));
}

void trim_versions()
{
    Cache &c = cache();
    if (c.tasks <= tasks_worth_keeping) return;
    // The jsonb that leases gave out lives in TopMemoryContext: free it with its version.
    for (auto &[id, version] : c.versions)
        for (auto *made : {&version->specs, &version->inputs})
            for (Datum d : *made)
                if (d) pfree(DatumGetPointer(d));
    c.versions.clear();
    c.tasks = 0;
}

int route_slot_of(const Version &version, int32 task_no)
{
    const core::PlannedTask &task = version.task(task_no);
    return shared::route_slot(version.route_ids[task_no],
                              {version.extension, task.queue, version.handlers[task_no], version.tenant, task.circuit, task.has_fallback});
}

}  // namespace orch::engine
