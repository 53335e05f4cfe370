#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orch::cli {

/// The text as a terminal may show it: control characters, escapes, marks that turn the writing direction and invalid bytes become visible.
[[nodiscard]] std::string visible(std::string_view text);

/// Columns on a terminal that the text takes up.
[[nodiscard]] size_t width_of(std::string_view text);

/// At most `max` columns of visible text; what was cut is marked by three dots.
[[nodiscard]] std::string shortened(std::string text, size_t max);

/// Rows under headings, aligned, two blanks apart, without blanks at the end of a line.
[[nodiscard]] std::string table(const std::vector<std::string> &headings, const std::vector<std::vector<std::string>> &lines);

}  // namespace orch::cli
