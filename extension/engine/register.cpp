#include "engine/register.hpp"

#include "core/definition.hpp"
#include "core/validate.hpp"
#include "engine/audit.hpp"
#include "engine/code_run.hpp"
#include "engine/installation.hpp"
#include "engine/notify.hpp"
#include "pg/membership.hpp"
#include "shared/database.hpp"
#include "shared/run_ids.hpp"

namespace orch::engine {

namespace {

constexpr const char *sql_handler = ":sql";

struct WorkflowRow {
    int32 workflow_id;
    int32 version;  // 0 for one that has none yet
    int32 version_id;
};

std::optional<WorkflowRow> lock_workflow(Datum tenant, Datum name)
{
    static pg::Statement select("select workflow_id, version, version_id from _orch.workflow where tenant = $1 and workflow = $2 for update",
                                {TEXTOID, TEXTOID});
    const pg::Rows rows = select.run(Parameters<2>().add(tenant).add(name));
    if (rows.empty()) return std::nullopt;
    return WorkflowRow{rows.int4(0, 1), rows.int4(0, 2), rows.int4(0, 3)};
}

// The row, locked; made where it is missing, which waits for another transaction that makes it too.
WorkflowRow take_workflow(Call &call, std::string_view workflow)
{
    static pg::Statement insert(
        "insert into _orch.workflow (tenant, workflow, version, version_id, created_at) values ($1, $2, 0, 0, $3) on conflict (tenant, workflow) do nothing",
        {TEXTOID, TEXTOID, TIMESTAMPTZOID});
    const Datum tenant = pg::text_datum(call.tenant()), name = pg::text_datum(workflow);
    if (auto row = lock_workflow(tenant, name)) return *row;
    insert.run(Parameters<3>().add(tenant).add(name).add(time_datum(call.now())));
    if (auto row = lock_workflow(tenant, name)) return *row;
    // Above READ COMMITTED: it was made after our snapshot.
    throw pg::error{
        ERRCODE_T_R_SERIALIZATION_FAILURE, "workflow " + core::in_quotes(workflow) + " was registered at the same time", {}, "Try the transaction again."};
}

bool equals_version(int32 version_id, Datum spec)
{
    static pg::Statement select("select spec from _orch.version where version_id = $1", {INT4OID});
    const pg::Rows rows = select.run(Parameters<1>().add(Int32GetDatum(version_id)));
    return !rows.empty() && pg::jsonb_equal(rows.get(0, 1), spec);
}

bool has_sql(const core::Plan &plan)
{
    return std::any_of(plan.tasks.begin(), plan.tasks.end(), [](const core::PlannedTask &t) { return t.executor == core::Executor::sql; });
}

// SQL tasks run in sessions of the role that registers them, and they take over from those of the versions before.
void require_sql_role(Call &call, const WorkflowRow &row, const core::Plan &plan)
{
    static pg::Statement predecessor(
        "select v.created_by::text from _orch.version v where v.workflow_id = $1"
        " and exists (select 1 from _orch.version_task t where t.version_id = v.version_id and t.executor = 'sql') order by v.version desc limit 1",
        {INT4OID});
    const Oid caller = call.caller();
    const std::string name = pg::role_name(caller);
    bool can_log_in = false;
    pg::call_pg([&] {
        HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(caller));
        if (!HeapTupleIsValid(role)) return;
        can_log_in = reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcanlogin;
        ReleaseSysCache(role);
    });
    if (!can_log_in)
        throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "role \"" + name + "\" cannot log in, so SQL tasks cannot run as it",
                        "SQL tasks run in a session of the role that registers them.", "Register as a role that can log in, or alter the role with LOGIN."};

    const pg::Rows rows = predecessor.run(Parameters<1>().add(Int32GetDatum(row.workflow_id)));
    if (rows.empty()) return;
    const std::string before = rows.text(0, 1);
    const char *before_text = before.c_str();
    bool allowed = false;
    pg::call_pg([&] {
        // A role that is gone has no members: whoever may register may take over.
        const Oid role = get_role_oid(before_text, true);
        allowed = !OidIsValid(role) || is_member_of_role(caller, role);
    });
    if (!allowed)
        throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE, "role \"" + name + "\" may not replace the SQL tasks of workflow " + core::in_quotes(plan.id),
                        "They were registered by role \"" + before + "\", of which it is no member.",
                        "Register as \"" + before + "\", or be granted its membership."};
}

struct Route {
    std::string queue, handler, circuit;
    bool fallback;

    auto operator<=>(const Route &) const = default;
};

std::map<Route, int32> route_ids(Datum tenant, const std::map<Route, int32> &wanted)
{
#define ORCH_IS_ROUTE "r.tenant = $1 and r.queue = u.queue and r.handler = u.handler and r.circuit = u.circuit and r.fallback = u.fallback"
#define ORCH_ROUTES "unnest($2::text[], $3::text[], $4::text[], $5::bool[]) u(queue, handler, circuit, fallback)"
    static pg::Statement insert("insert into _orch.route (tenant, queue, handler, circuit, fallback) select $1, u.queue, u.handler, u.circuit, u.fallback"
                                " from " ORCH_ROUTES " where not exists (select 1 from _orch.route r where " ORCH_IS_ROUTE ") on conflict do nothing",
                                {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID});
    static pg::Statement select("select r.queue, r.handler, r.circuit, r.fallback, r.route_id from " ORCH_ROUTES " join _orch.route r on " ORCH_IS_ROUTE,
                                {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID});
#undef ORCH_ROUTES
#undef ORCH_IS_ROUTE
    pg::Column queue(TEXTOID), handler(TEXTOID), circuit(TEXTOID), fallback(BOOLOID);
    for (const auto &[route, id] : wanted) {
        queue.add(pg::text_datum(route.queue));
        handler.add(pg::text_datum(route.handler));
        circuit.add(pg::text_datum(route.circuit));
        fallback.add(BoolGetDatum(route.fallback));
    }
    Parameters<5> parameters;
    parameters.add(tenant).add(queue.array()).add(handler.array()).add(circuit.array()).add(fallback.array());
    insert.run(parameters);
    const pg::Rows rows = select.run(parameters);
    if (rows.count() != wanted.size())
        throw pg::error{ERRCODE_T_R_SERIALIZATION_FAILURE, "a route of this definition was registered at the same time", {}, "Try the transaction again."};
    std::map<Route, int32> ids;
    for (uint64 i = 0; i < rows.count(); i++) ids.emplace(Route{rows.text(i, 1), rows.text(i, 2), rows.text(i, 3), rows.boolean(i, 4)}, rows.int4(i, 5));
    return ids;
}

// Ids hold no space, so that one text carries a task's dependencies through the array of all.
std::string joined_ids(const core::Plan &plan, const std::vector<int32> &tasks)
{
    std::string text;
    for (int32 task : tasks) {
        if (!text.empty()) text += ' ';
        text += plan.tasks[task].id;
    }
    return text;
}

void insert_tasks(Call &call, int32 version_id, const core::Plan &plan)
{
    static pg::Statement insert(
        "insert into _orch.version_task (version_id, task_no, task_id, name, executor, handler, queue, route_id, level, is_finally, max_attempts, dependencies)"
        " select $1, u.task_no, u.task_id, u.name, u.executor, u.handler, u.queue, u.route_id, u.level, u.is_finally, u.max_attempts, "
        "string_to_array(u.dependencies, ' ')"
        " from unnest($2::int4[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int4[], $9::int4[], $10::bool[], $11::int4[], $12::text[])"
        " u(task_no, task_id, name, executor, handler, queue, route_id, level, is_finally, max_attempts, dependencies)",
        {INT4OID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, BOOLARRAYOID, INT4ARRAYOID,
         TEXTARRAYOID});
    const std::string role = pg::role_name(call.caller());
    const auto route_of = [&](const core::PlannedTask &task) {
        return Route{task.queue, task.handler == sql_handler ? task.handler + '/' + role : task.handler, task.circuit, task.has_fallback};
    };
    std::map<Route, int32> routes;
    for (const core::PlannedTask &task : plan.tasks)
        if (!task.handler.empty()) routes.emplace(route_of(task), 0);
    if (!routes.empty()) routes = route_ids(pg::text_datum(call.tenant()), routes);

    pg::Column task_no(INT4OID), id(TEXTOID), name(TEXTOID), executor(TEXTOID), handler(TEXTOID), queue(TEXTOID), route(INT4OID), level(INT4OID),
        is_finally(BOOLOID), max_attempts(INT4OID), dependencies(TEXTOID);
    for (size_t i = 0; i < plan.tasks.size(); i++) {
        const core::PlannedTask &task = plan.tasks[i];
        task_no.add(Int32GetDatum(static_cast<int32>(i)));
        id.add(pg::text_datum(task.id));
        name.add(task.name.empty() ? std::nullopt : std::optional(pg::text_datum(task.name)));
        executor.add(pg::text_datum(core::executor_name(task.executor)));
        const bool is_code = task.executor == core::Executor::code;
        handler.add(task.executor == core::Executor::handler || is_code ? std::optional(pg::text_datum(is_code ? plan.id : task.handler)) : std::nullopt);
        queue.add(pg::text_datum(task.queue));
        route.add(task.handler.empty() ? std::nullopt : std::optional(Int32GetDatum(routes.at(route_of(task)))));
        level.add(Int32GetDatum(task.level));
        is_finally.add(BoolGetDatum(task.is_finally));
        max_attempts.add(Int32GetDatum(task.retry.max_attempts));
        dependencies.add(pg::text_datum(joined_ids(plan, task.parents)));
    }
    Parameters<12> parameters;
    parameters.add(Int32GetDatum(version_id))
        .add(task_no.array())
        .add(id.array())
        .add(name.array())
        .add(executor.array())
        .add(handler.array())
        .add(queue.array());
    parameters.add(route.array()).add(level.array()).add(is_finally.array()).add(max_attempts.array()).add(dependencies.array());
    insert.run(parameters);
}

int32 insert_version(Call &call, const WorkflowRow &row, int32 number, Datum spec)
{
    static pg::Statement insert(
        "insert into _orch.version (workflow_id, version, spec, created_by, created_at) values ($1, $2, $3, $4::name, $5) returning version_id",
        {INT4OID, INT4OID, JSONBOID, TEXTOID, TIMESTAMPTZOID});
    static pg::Statement update("update _orch.workflow set version = $2, version_id = $3 where workflow_id = $1", {INT4OID, INT4OID, INT4OID});
    const pg::Rows rows = insert.run(Parameters<5>()
                                         .add(Int32GetDatum(row.workflow_id))
                                         .add(Int32GetDatum(number))
                                         .add(spec)
                                         .add(pg::text_datum(pg::role_name(call.caller())))
                                         .add(time_datum(call.now())));
    const int32 version_id = rows.int4(0, 1);
    update.run(Parameters<3>().add(Int32GetDatum(row.workflow_id)).add(Int32GetDatum(number)).add(Int32GetDatum(version_id)));
    return version_id;
}

Registered add_version(Call &call, const WorkflowRow &row, Datum spec, const core::Plan &plan)
{
    const int32 number = row.version + 1;
    const int32 version_id = insert_version(call, row, number, spec);
    insert_tasks(call, version_id, plan);
    audit(call, {.action = "register", .tenant = call.tenant(), .workflow = plan.id, .details = {{"version", number}}});
    // The first trigger wants partitions, and the steward does nothing before something is registered.
    shared::on_commit_wake_steward();
    if (!shared::partitions_ready()) shared::partitions_request();
    return {plan.id, number, true};
}

// Compiled from the jsonb's own text, as every backend will do it: jsonb orders keys in its own way, and tasks are numbered by that order.
core::Plan compiled(Datum spec)
{
    auto parsed = core::parse(pg::json_text_of(spec), {.max_bytes = SIZE_MAX, .exact_integers = false});
    return core::compile(std::get<core::Json>(parsed));
}

}  // namespace

namespace {

constexpr std::string_view code_options[] = {"queue", "timeout_seconds", "max_active_runs", "when_full", "priority", "tags",
                                             "name",  "description",     "owner",           "labels",    "metadata"};

// main ends for good by what its code throws; what its worker or its connection do to it is no fault of the code.
constexpr int code_retries = 1000;

core::Json code_spec(std::string_view workflow, std::string_view label, Datum options)
{
    core::Json spec{{"id", workflow}, {"version", label}};
    auto parsed = core::parse(pg::json_text_of(options));
    if (const auto *problem = std::get_if<core::Problem>(&parsed)) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, problem->message, {}, {}};
    const core::Json &given = std::get<core::Json>(parsed);
    if (!given.is_object()) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "options must be a JSON object", {}, {}};
    for (const auto &[key, value] : given.get_ref<const core::Json::object_t &>()) {
        if (std::find(std::begin(code_options), std::end(code_options), key) == std::end(code_options))
            throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                            "a workflow in code has no option " + core::in_quotes(key),
                            "Options are queue, timeout_seconds, max_active_runs, when_full, priority, tags, name, description, owner, labels and metadata.",
                            {}};
        spec[key] = value;
    }
    // The grammar of definitions tells what is wrong with the rest; its tasks are a stand-in meanwhile.
    spec["tasks"] = {{"main", {{"noop", true}}}};
    const std::vector<core::Problem> problems = core::validate(spec, [](std::string_view) { return std::optional<std::string>(); });
    for (const core::Problem &p : problems)
        if (p.severity == core::Severity::error)
            throw pg::error{pg::invalid_definition, "invalid workflow in code: " + p.message, core::summary(problems), p.hint};
    spec["tasks"] = {{"main",
                      {{"code", {{"workflow", workflow}, {"version", label}}},
                       {"retries", code_retries},
                       {"retry_on", {"infrastructure", "transient", "timeout", "resource"}}}}};
    return spec;
}

std::optional<int32> number_of_equal(int32 workflow_id, Datum spec)
{
    static pg::Statement select("select v.version from _orch.version v where v.workflow_id = $1 and v.spec = $2 order by v.version desc limit 1",
                                {INT4OID, JSONBOID});
    const pg::Rows rows = select.run(Parameters<2>().add(Int32GetDatum(workflow_id)).add(spec));
    return rows.empty() ? std::nullopt : std::optional(rows.int4(0, 1));
}

void require_may_register_code(Call &call, const WorkflowRow &row, const std::string &workflow)
{
    if (row.version == 0 || version_of(row.version_id).is_code()) return;
    if (!pg::is_admin(call.caller()))
        throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE,
                        "workflow " + core::in_quotes(workflow) + " has a definition, which no worker may replace by code",
                        {},
                        "Give the code another name, or register it as a member of orch_admin."};
}

void require_free_name(std::string_view workflow)
{
    if (workflow == notification_workflow)
        throw pg::error{ERRCODE_RESERVED_NAME, "workflow " + core::in_quotes(workflow) + " is the engine's own", {}, "Choose another id."};
}

void require_label(std::string_view label)
{
    if (!core::is_identifier(label) || label.size() > 64 || label.find('@') != std::string_view::npos)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "the version " + core::in_quotes(label) + " is no label",
                        {},
                        "A label has 1 to 64 letters, digits and _ - . / + :, first a letter, digit or _."};
}

}  // namespace

Registered register_code(Call &call, std::string_view workflow, std::string_view label, Datum options)
{
    require_label(label);
    require_free_name(workflow);
    const Datum spec = pg::jsonb_datum(core::to_text(code_spec(workflow, label, options)));
    claim_installation(call);
    const std::string name(workflow);
    const WorkflowRow row = take_workflow(call, name);
    require_may_register_code(call, row, name);
    Registered registered{name, 0, false};
    if (const auto number = row.version > 0 ? number_of_equal(row.workflow_id, spec) : std::nullopt) registered.version = *number;
    else registered = add_version(call, row, spec, compiled(spec));
    wake_parked(call, row.workflow_id);
    return registered;
}

Registered register_own(Call &call, Datum spec)
{
    const core::Plan plan = compiled(spec);
    claim_installation(call);
    const WorkflowRow row = take_workflow(call, plan.id);
    if (row.version > 0 && equals_version(row.version_id, spec)) return {plan.id, row.version, false};
    return add_version(call, row, spec, plan);
}

Registered register_definition(Call &call, Datum spec, const RegisterOptions &options)
{
    const core::Plan plan = compiled(spec);
    require_free_name(plan.id);
    claim_installation(call);
    const WorkflowRow row = take_workflow(call, plan.id);
    if (options.must_be_new && row.version > 0)
        throw pg::error{ERRCODE_DUPLICATE_OBJECT, "workflow " + core::in_quotes(plan.id) + " already exists",
                        "Its current version is " + std::to_string(row.version) + ".", "Leave if_exists at 'version' to register the next version."};
    // Under the row's lock: whoever read that version has not missed another one.
    if (options.if_version && *options.if_version != row.version)
        throw pg::error{pg::other_version, "the current version of workflow " + core::in_quotes(plan.id) + " is not " + std::to_string(*options.if_version),
                        row.version > 0 ? "It is " + std::to_string(row.version) + "." : "The workflow has no version yet.",
                        "Look at the current version, and register what is to follow it."};
    if (row.version > 0 && equals_version(row.version_id, spec)) return {plan.id, row.version, false};

    if (has_sql(plan)) require_sql_role(call, row, plan);
    return add_version(call, row, spec, plan);
}

}  // namespace orch::engine
