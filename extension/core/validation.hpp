// The parts of validation and what they share. Order: fields as they are read, then the graph, then templates, which need the graph.
#pragma once

#include "core/definition.hpp"
#include "core/findings.hpp"
#include "core/grammar.hpp"
#include "core/topology.hpp"
#include "core/validate.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orch::core {

struct Validation {
    const Json &spec;
    const PathCheck &check_path;
    Findings findings;
    const Json *defaults = nullptr;  // where it is an object
    std::vector<TaskEntry> entries = {};
    std::unordered_map<std::string_view, int32_t> by_id = {};  // the first of each id

    int32_t find(std::string_view id) const
    {
        const auto found = by_id.find(id);
        return found == by_id.end() ? -1 : found->second;
    }
};

inline constexpr Place document{};
inline constexpr Place main_tasks{&document, "tasks"};
inline constexpr Place finally_tasks{&document, "finally"};

inline Place task_place(const TaskEntry &entry)
{
    const Place &list = entry.is_finally ? finally_tasks : main_tasks;
    return entry.is_listed ? list / entry.index : list / entry.id;
}

/// "text", "a number", "a list" ...: what a value is, for messages.
std::string_view kind_of(const Json &value);

/// Reports wrong_type unless `fits`; returns whether it fits.
bool expect(Findings &findings, const Place &place, const Json &value, bool fits, std::string_view wanted);

/// One key of an object against the table; unknown ones get the nearest word of `fields` and `more_words`.
void check_field(Findings &findings, const Place &object, std::string_view key, const Json &value, std::span<const Field> fields,
                 std::span<const std::string_view> more_words = {});
void check_fields(Findings &findings, const Place &place, const Json &object, std::span<const Field> fields);

/// Non-empty, one line, no control characters, at most longest_name characters.
void check_line(Findings &findings, const Place &place, const Json &value);
void check_id(Findings &findings, const Place &place, std::string_view id);

/// The settings of one task, or of `defaults` where `entry` is null: what needs more than the table.
void check_task(Validation &validation, const TaskEntry &entry);
void check_defaults(Validation &validation, const Json &defaults);
void check_executor(Findings &findings, const Place &place, Executor executor, const Json &definition);
void check_request(Findings &findings, const Place &place, const Json &request);  // of http

/// What stands under "circuit": a name, or an object.
void check_circuit(Findings &findings, const Place &place, const Json &circuit);

/// Dependencies into edges; reports unknown, duplicate, misplaced and circular ones.
Edges check_dependencies(Validation &validation);

/// All templates and `when` conditions. `topology` must hold every task for references to be checked against the order.
void check_templates(Validation &validation, const Edges &edges, const Topology &topology);

/// References of a task to tasks that are not its parents: those of `questions` whose target does not end before the task begins, by position.
struct AncestorQuestion {
    int32_t task, target;
};
std::vector<std::size_t> find_non_ancestors(const Edges &edges, const Topology &topology, const std::vector<AncestorQuestion> &questions);

}  // namespace orch::core
