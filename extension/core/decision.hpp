// The `decision` executor's comparison.
#pragma once

#include "core/json.hpp"

#include <string_view>

namespace orch::core {

bool is_decision_operator(std::string_view op);

/// Compares as numbers when both sides are numbers or text that reads as a JSON number (a command's stdout is text), else as trimmed text, byte by byte;
/// what is neither string nor number counts by its JSON text. `op` is one of == != < <= > >=.
bool decide(const Json &left, std::string_view op, const Json &right);

}  // namespace orch::core
