#include "core/graph.hpp"

#include "core/states.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

/// Name or id of a task, with its state.
std::string label(const Plan &plan, int32_t task, std::span<const char> states)
{
    const PlannedTask &planned = plan.tasks[task];
    std::string text = planned.id;
    if (!planned.name.empty() && planned.name != planned.id) text += " (" + planned.name + ")";
    if (static_cast<std::size_t>(task) < states.size()) text += " · " + std::string(task_state_name(states[task]));
    return text;
}

// Mermaid reads HTML entities in labels. Everything but letters, digits and some harmless marks goes out as one, so a name can neither end its quotes nor hold markup.
std::string for_mermaid(std::string_view text)
{
    std::string out;
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool is_harmless = byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 std::string_view(" _-./+:,()").find(c) != std::string_view::npos;
        if (is_harmless) out += c;
        else out += "#" + std::to_string(byte) + ";";
    }
    return out;
}

// In DOT's quoted strings only quote and backslash are special; line breaks would be legal but ugly.
std::string for_dot(std::string_view text)
{
    std::string out;
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    return out;
}

std::string for_text(std::string_view text)
{
    std::string escaped = in_quotes(text, text.size());
    return escaped.substr(1, escaped.size() - 2);
}

std::string_view fill_of(char state)
{
    switch (state) {
    case task_state::succeeded: return "#c8e6c9";
    case task_state::failed:
    case task_state::timed_out: return "#ffcdd2";
    case task_state::upstream_failed: return "#ffe0b2";
    case task_state::running: return "#bbdefb";
    case task_state::ready:
    case task_state::scheduled:
    case task_state::waiting: return "#fff9c4";
    case task_state::skipped:
    case task_state::cancelled: return "#e0e0e0";
    default: return "#ffffff";
    }
}

std::string as_text(const Plan &plan, std::span<const char> states)
{
    std::vector<int32_t> by_level = plan.order;
    std::stable_sort(by_level.begin(), by_level.end(),
                     [&](int32_t a, int32_t b) { return plan.tasks[a].level != plan.tasks[b].level ? plan.tasks[a].level < plan.tasks[b].level : a < b; });
    std::string out = for_text(plan.id) + "\n";
    for (int32_t task : by_level) {
        const PlannedTask &planned = plan.tasks[task];
        out += std::string(2 + 2 * std::min<std::size_t>(static_cast<std::size_t>(planned.level), 40), ' ') + for_text(label(plan, task, states));
        if (planned.is_finally) out += " [finally]";
        const char *separator = " <- ";
        for (int32_t parent : planned.parents) {
            out += separator + for_text(plan.tasks[parent].id);
            separator = ", ";
        }
        out += '\n';
    }
    return out;
}

std::string as_mermaid(const Plan &plan, std::span<const char> states)
{
    std::string out = "flowchart TD\n";
    for (std::size_t i = 0; i < plan.tasks.size(); i++) {
        const std::string node = "t" + std::to_string(i);
        out += "    " + node + (plan.tasks[i].is_finally ? "([\"" : "[\"") + for_mermaid(label(plan, static_cast<int32_t>(i), states)) +
               (plan.tasks[i].is_finally ? "\"])" : "\"]") + "\n";
        if (i < states.size()) out += "    style " + node + " fill:" + std::string(fill_of(states[i])) + "\n";
    }
    for (std::size_t i = 0; i < plan.tasks.size(); i++)
        for (int32_t parent : plan.tasks[i].parents) out += "    t" + std::to_string(parent) + " --> t" + std::to_string(i) + "\n";
    return out;
}

std::string as_dot(const Plan &plan, std::span<const char> states)
{
    std::string out = "digraph \"" + for_dot(plan.id) + "\" {\n    node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];\n";
    for (std::size_t i = 0; i < plan.tasks.size(); i++) {
        out += "    t" + std::to_string(i) + " [label=\"" + for_dot(label(plan, static_cast<int32_t>(i), states)) + "\"";
        if (plan.tasks[i].is_finally) out += ", peripheries=2";
        if (i < states.size()) out += ", fillcolor=\"" + std::string(fill_of(states[i])) + "\"";
        out += "];\n";
    }
    for (std::size_t i = 0; i < plan.tasks.size(); i++)
        for (int32_t parent : plan.tasks[i].parents) out += "    t" + std::to_string(parent) + " -> t" + std::to_string(i) + ";\n";
    return out + "}\n";
}

}  // namespace

std::optional<GraphFormat> graph_format_from(std::string_view word)
{
    if (word == "text") return GraphFormat::text;
    if (word == "mermaid") return GraphFormat::mermaid;
    if (word == "dot") return GraphFormat::dot;
    return std::nullopt;
}

std::string render_graph(const Plan &plan, GraphFormat format, std::span<const char> states)
{
    if (format == GraphFormat::mermaid) return as_mermaid(plan, states);
    return format == GraphFormat::dot ? as_dot(plan, states) : as_text(plan, states);
}

}  // namespace orch::core
