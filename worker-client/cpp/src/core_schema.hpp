#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace orch::core_schema {

/// JSON for a plain scalar by the core schema of YAML 1.2, or nullopt where it is text. Numbers keep all their digits.
/// Throws std::range_error for what YAML can say and JSON cannot: .inf, .nan, octal or hexadecimal numbers over 64 bits.
[[nodiscard]] std::optional<std::string> resolve(std::string_view plain);

enum class kind { null, boolean, integer, real };
[[nodiscard]] std::optional<kind> kind_of(std::string_view plain);

}  // namespace orch::core_schema
