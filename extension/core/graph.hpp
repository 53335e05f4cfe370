// A plan as a picture: plain text by levels, Mermaid, or DOT; with states where a run is shown.
#pragma once

#include "core/plan.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace orch::core {

enum class GraphFormat : uint8_t { text, mermaid, dot };

std::optional<GraphFormat> graph_format_from(std::string_view word);

/// states[i] is the letter of task i; empty for a plan without a run. Names are escaped for the format, so no name can add a node, an edge or markup.
std::string render_graph(const Plan &plan, GraphFormat format, std::span<const char> states = {});

}  // namespace orch::core
