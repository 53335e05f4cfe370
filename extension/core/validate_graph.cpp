// Dependencies: what they name, and whether they have an order.

#include "core/validation.hpp"

#include <algorithm>
#include <bitset>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::size_t most_ids_in_hint = 10, most_names_in_cycle = 12;

std::string defined_tasks(const Validation &validation)
{
    std::string text = "Defined tasks are ";
    const std::size_t count = std::min(validation.entries.size(), most_ids_in_hint);
    for (std::size_t i = 0; i < count; i++) text += (i ? ", " : "") + in_quotes(validation.entries[i].id, 40);
    if (count < validation.entries.size()) text += " and " + std::to_string(validation.entries.size() - count) + " more";
    return text + ".";
}

void report_cycle(Validation &validation, const std::vector<int32_t> &cycle)
{
    std::string path;
    for (std::size_t i = 0; i < cycle.size(); i++) {
        // A cycle of 10,000 tasks is told by its beginning and its end.
        if (cycle.size() > most_names_in_cycle && i == most_names_in_cycle - 2) {
            path += "… " + std::to_string(cycle.size() - most_names_in_cycle) + " more … -> ";
            i = cycle.size() - 2;
        }
        path += in_quotes(validation.entries[cycle[i]].id, 40) + " -> ";
    }
    path += in_quotes(validation.entries[cycle[0]].id, 40);
    validation.findings.error(ProblemCode::cycle, task_place(validation.entries[cycle[0]]) / "dependencies", "tasks wait for each other in a cycle: " + path,
                              std::to_string(cycle.size()) + " tasks are in it, and none of them could ever run.", "Remove one of these dependencies.");
}

/// The task that dependency number `index` of `task` names, or -1 with the problem told.
int32_t check_dependency(Validation &validation, int32_t task, const Place &place, const Json &dependency)
{
    Findings &findings = validation.findings;
    if (!expect(findings, place, dependency, dependency.is_string(), "the id of a task")) return -1;
    const TaskEntry &entry = validation.entries[task];
    const std::string &id = dependency.get_ref<const std::string &>();
    const int32_t parent = validation.find(id);
    if (parent < 0) {
        findings.error(ProblemCode::unknown_dependency, place,
                       "task " + in_quotes(entry.id, 60) + " depends on " + in_quotes(id, 60) + ", which is not defined", defined_tasks(validation),
                       "Check the spelling, or define the task.");
    } else if (id == entry.id) {
        findings.error(ProblemCode::self_dependency, place, "task " + in_quotes(entry.id, 60) + " depends on itself", {},
                       "Remove it from its own dependencies.");
        return -1;
    } else if (validation.entries[parent].is_finally && !entry.is_finally) {
        findings.error(ProblemCode::misplaced_dependency, place,
                       "task " + in_quotes(entry.id, 60) + " depends on " + in_quotes(id, 60) + ", which is a finally task",
                       "Finally tasks run when all others have ended.", "Move one of the two.");
        return -1;
    } else if (!validation.entries[parent].is_finally && entry.is_finally) {
        findings.error(ProblemCode::misplaced_dependency, place,
                       "finally task " + in_quotes(entry.id, 60) + " depends on " + in_quotes(id, 60) + ", which is none",
                       "Finally tasks run when all others have ended, so they wait for them anyway.", "Remove the dependency.");
        return -1;
    }
    return parent;
}

}  // namespace

Edges check_dependencies(Validation &validation)
{
    Edges edges(validation.entries.size());
    std::vector<int32_t> named_by(validation.entries.size(), -1);
    for (std::size_t i = 0; i < validation.entries.size(); i++) {
        const auto task = static_cast<int32_t>(i);
        const Json *dependencies = member(*validation.entries[i].body, "dependencies");
        if (!dependencies) continue;
        const Place of_task = task_place(validation.entries[i]), place = of_task / "dependencies";
        if (!expect(validation.findings, place, *dependencies, dependencies->is_array(), "a list of task ids")) continue;
        for (std::size_t j = 0; j < dependencies->size(); j++) {
            const int32_t parent = check_dependency(validation, task, place / j, (*dependencies)[j]);
            if (parent < 0) continue;
            if (named_by[parent] == task) {
                validation.findings.error(ProblemCode::duplicate_dependency, place / j,
                                          "task " + in_quotes(validation.entries[i].id, 60) + " names " + in_quotes(validation.entries[parent].id, 60) +
                                              " twice",
                                          {}, "Name it once.");
                continue;
            }
            named_by[parent] = task;
            edges.add(parent, task);
        }
    }
    const Topology topology = sort(edges);
    if (topology.order.size() < edges.parents.size())
        for (const auto &cycle : find_cycles(edges, topology)) report_cycle(validation, cycle);
    return edges;
}

// Reachability for many pairs at once: each pass carries one bit for each of 512 targets from parents to children, in topological order. A search of its own for
// each pair would be quadratic where all of 100,000 tasks look back a long way.
std::vector<std::size_t> find_non_ancestors(const Edges &edges, const Topology &topology, const std::vector<AncestorQuestion> &questions)
{
    constexpr std::size_t width = 512;
    using Reached = std::bitset<width>;
    std::vector<std::size_t> by_target(questions.size());
    for (std::size_t i = 0; i < questions.size(); i++) by_target[i] = i;
    std::sort(by_target.begin(), by_target.end(), [&](std::size_t a, std::size_t b) { return questions[a].target < questions[b].target; });

    std::vector<std::size_t> wrong;
    std::vector<Reached> reached(edges.parents.size());
    for (std::size_t start = 0; start < by_target.size();) {
        std::size_t end = start, bits = 0;
        std::vector<std::size_t> bit_of;
        for (; end < by_target.size(); end++) {
            const bool is_new = end == start || questions[by_target[end]].target != questions[by_target[end - 1]].target;
            if (is_new && bits == width) break;
            if (is_new) bits++;
            bit_of.push_back(bits - 1);
        }
        std::fill(reached.begin(), reached.end(), Reached());
        for (std::size_t i = start; i < end; i++) reached[questions[by_target[i]].target].set(bit_of[i - start]);
        for (int32_t node : topology.order)
            for (int32_t child : edges.children[node]) reached[child] |= reached[node];
        for (std::size_t i = start; i < end; i++) {
            const AncestorQuestion &question = questions[by_target[i]];
            if (question.task == question.target || !reached[question.task].test(bit_of[i - start])) wrong.push_back(by_target[i]);
        }
        start = end;
    }
    std::sort(wrong.begin(), wrong.end());
    return wrong;
}

}  // namespace orch::core
