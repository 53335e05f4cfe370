#pragma once

#include <chrono>
#include <string>

namespace orch::cli {

/// `250ms`, `30s` or `30`, `5m`, `1.5h`, `2d`. Throws std::invalid_argument for anything else.
[[nodiscard]] std::chrono::milliseconds duration(const std::string &text);

}  // namespace orch::cli
