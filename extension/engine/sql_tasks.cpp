#include "engine/sql_tasks.hpp"

#include "core/definition.hpp"
#include "core/template.hpp"
#include "core/validation.hpp"
#include "pg/sql_check.hpp"

namespace orch::engine {

namespace {

using core::Json;
using core::TaskEntry;

const std::string *sql_of(const TaskEntry &entry)
{
    const Json *sql = core::member(*entry.body, "sql");
    return sql && sql->is_string() ? sql->get_ptr<const std::string *>() : nullptr;
}

const Json *setting(const Json &spec, const TaskEntry &entry, std::string_view key)
{
    if (const Json *own = core::member(*entry.body, key)) return own;
    const Json *defaults = core::member(spec, "defaults");
    return defaults ? core::member(*defaults, key) : nullptr;
}

// Which tasks have a SQL task among those that end before they begin. Cycles and unknown ids do no harm here.
std::vector<bool> behind_sql(const std::vector<TaskEntry> &entries)
{
    std::unordered_map<std::string_view, size_t> by_id;
    for (size_t i = 0; i < entries.size(); i++) by_id.emplace(entries[i].id, i);
    std::vector<std::vector<size_t>> children(entries.size());
    for (size_t i = 0; i < entries.size(); i++) {
        const Json *dependencies = core::member(*entries[i].body, "dependencies");
        if (!dependencies || !dependencies->is_array()) continue;
        for (const Json &id : *dependencies)
            if (id.is_string())
                if (auto found = by_id.find(id.get_ref<const std::string &>()); found != by_id.end()) children[found->second].push_back(i);
    }
    std::vector<bool> behind(entries.size());
    std::vector<size_t> to_follow;
    bool main_has_sql = false;
    for (size_t i = 0; i < entries.size(); i++) {
        if (!sql_of(entries[i])) continue;
        to_follow.push_back(i);
        main_has_sql |= !entries[i].is_finally;
    }
    while (!to_follow.empty()) {
        const size_t parent = to_follow.back();
        to_follow.pop_back();
        for (size_t child : children[parent]) {
            if (behind[child]) continue;
            behind[child] = true;
            to_follow.push_back(child);
        }
    }
    for (size_t i = 0; i < entries.size(); i++)
        if (entries[i].is_finally && main_has_sql) behind[i] = true;
    return behind;
}

void check_parameters(const Json *params, int wanted, const core::Place &task, core::Findings &findings)
{
    if (params && !params->is_array()) return;
    const size_t given = params ? params->size() : 0;
    if (given == static_cast<size_t>(wanted)) return;
    const std::string uses = wanted == 0 ? "no parameter" : wanted == 1 ? "$1" : "$1 to $" + std::to_string(wanted);
    findings.error(core::ProblemCode::sql_invalid, task / "params",
                   "params has " + std::to_string(given) + (given == 1 ? " value" : " values") + ", the statement uses " + uses, {},
                   "The first value is $1, the second $2, and so on.");
}

}  // namespace

void check_sql_tasks(const Json &spec, pg::Trials &trials, core::Findings &findings)
{
    const std::vector<TaskEntry> entries = core::task_entries(spec);
    std::vector<bool> behind;
    for (size_t i = 0; i < entries.size(); i++) {
        const std::string *sql = sql_of(entries[i]);
        if (!sql || core::has_template(*core::member(*entries[i].body, "sql"))) continue;
        const Json *check = setting(spec, entries[i], "check");
        if (check && check->is_string() && check->get_ref<const std::string &>() == "off") continue;
        if (behind.empty()) behind = behind_sql(entries);

        const pg::SqlCheck found = pg::check_sql(trials, *sql);
        const core::Place task = core::task_place(entries[i]), place = task / "sql";
        for (const pg::SqlFault &fault : found.faults) {
            if (fault.by_catalogue && behind[i])
                findings.warning(core::ProblemCode::sql_invalid, place, fault.message, fault.detail,
                                 "A SQL task that runs before it may make what is missing; if none does, this one will fail.");
            else if (fault.behind_change)
                findings.warning(core::ProblemCode::sql_invalid, place, fault.message, fault.detail,
                                 "An earlier statement of the text may make what is missing; if none does, the task will fail.");
            else findings.error(core::ProblemCode::sql_invalid, place, fault.message, fault.detail, fault.hint);
        }
        if (found.faults.empty()) check_parameters(setting(spec, entries[i], "params"), found.parameters, task, findings);
    }
}

}  // namespace orch::engine
