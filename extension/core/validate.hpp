// Every problem of a definition that can be seen without a catalogue, in one answer.
#pragma once

#include "core/json.hpp"
#include "core/problem.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

/// Checks the syntax of a whole SQL/JSON path ("strict $.tasks.a.output"): nothing, or what is wrong. The engine asks the server; without one a light check stands in.
using PathCheck = std::function<std::optional<std::string>(std::string_view jsonpath)>;

inline constexpr std::size_t max_shown_problems = 100;

/// In reading order, at most max_shown_problems of them and then one `more_problems` that counts the rest and is an error if one of those is.
/// Linear in tasks, edges and templates but for references to far ancestors, which cost one pass over the graph per 512 of them.
std::vector<Problem> validate(const Json &spec, const PathCheck &check_path = {});

}  // namespace orch::core
