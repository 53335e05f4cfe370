// Names as memory keeps and compares them, for the files of shared/.
#pragma once

#include "shared/layout.hpp"

#include <string>
#include <string_view>

namespace orch::shared {

void copy_name(char (&into)[name_bytes + 1], std::string_view folded) noexcept;

/// Whether a worker serves a route, by their folded names.
bool serves(const Worker &worker, const Route &route) noexcept;

}  // namespace orch::shared
