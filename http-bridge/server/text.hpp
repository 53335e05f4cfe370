#pragma once

#include <string>
#include <string_view>

namespace orch::bridge {

[[nodiscard]] bool is_utf8(std::string_view text);
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// base64url without padding, and back; empty for what is none.
[[nodiscard]] std::string to_base64url(std::string_view bytes);
[[nodiscard]] bool from_base64url(std::string_view text, std::string &bytes);

/// `text` as a JSON string, quotes included.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace orch::bridge
