#pragma once

#include <string>
#include <string_view>

namespace orch::bridge {

[[nodiscard]] bool is_utf8(std::string_view text);
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);
/// Without the white space of HTTP and JSON at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// `text` as a JSON string, quotes included.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace orch::bridge
