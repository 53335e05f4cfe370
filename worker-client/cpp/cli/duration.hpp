#pragma once

#include <chrono>
#include <string>

namespace orch::cli {

/// `250ms`, `30s` or `30`, `5m`, `1.5h`, `2d`. Throws std::invalid_argument for anything else.
[[nodiscard]] std::chrono::milliseconds duration(const std::string &text);

/// As SQL has it.
[[nodiscard]] inline std::string interval_of(std::chrono::milliseconds length) { return std::to_string(length.count()) + " ms"; }

}  // namespace orch::cli
