#include "core/validate.hpp"

#include "core/validation.hpp"

#include "core/last_include.hpp"

namespace orch::core {
namespace {

void check_list(Validation &validation, const Place &place, const Json *tasks, bool is_required)
{
    if (tasks == nullptr) {
        if (is_required)
            validation.findings.error(ProblemCode::no_tasks, document, "the definition has no \"tasks\"", {},
                                      "Add an object of tasks by id, or a list of tasks.");
        return;
    }
    if (!expect(validation.findings, place, *tasks, tasks->is_object() || tasks->is_array(), "an object or a list of tasks")) return;
    if (tasks->empty() && is_required)
        validation.findings.error(ProblemCode::no_tasks, place, "the definition has no tasks", "\"tasks\" is empty.", "Add at least one task.");
}

void check_workflow(Validation &validation)
{
    const Json &spec = validation.spec;
    for (const auto &[key, value] : spec.get_ref<const Json::object_t &>()) check_field(validation.findings, document, key, value, workflow_fields());
    if (!member(spec, "id"))
        validation.findings.error(ProblemCode::missing_key, document, "the definition has no \"id\"", {}, "It is the name that the workflow is triggered by.");
    if (member(spec, "when_full") && !member(spec, "max_active_runs"))
        validation.findings.warning(ProblemCode::misplaced_key, document / "when_full", "\"when_full\" means nothing without \"max_active_runs\"");
    if (const Json *defaults = member(spec, "defaults")) check_defaults(validation, *defaults);
    check_list(validation, main_tasks, member(spec, "tasks"), true);
    check_list(validation, finally_tasks, member(spec, "finally"), false);
}

void index_tasks(Validation &validation)
{
    validation.entries = task_entries(validation.spec);
    validation.by_id.reserve(validation.entries.size());
    for (std::size_t i = 0; i < validation.entries.size(); i++) {
        const TaskEntry &entry = validation.entries[i];
        if (entry.is_listed && entry.id.empty()) continue;
        const auto [first, is_new] = validation.by_id.emplace(entry.id, static_cast<int32_t>(i));
        if (!is_new)
            validation.findings.error(ProblemCode::duplicate_id, task_place(entry), "task id " + in_quotes(entry.id, 60) + " is taken",
                                      "It stands first at " + task_place(validation.entries[first->second]).pointer() + ".",
                                      "Ids are unique, finally tasks included.");
    }
}

}  // namespace

std::vector<Problem> validate(const Json &spec, const PathCheck &check_path)
{
    Validation validation{spec, check_path, Findings(max_shown_problems)};
    if (!expect(validation.findings, document, spec, spec.is_object(), "an object")) return std::move(validation.findings).take();
    check_workflow(validation);
    index_tasks(validation);
    for (const TaskEntry &entry : validation.entries) check_task(validation, entry);
    const Edges edges = check_dependencies(validation);
    check_templates(validation, edges, sort(edges));
    return std::move(validation.findings).take();
}

}  // namespace orch::core
