// Small things done to text.
#pragma once

#include <string_view>

namespace orch::core {

/// Without the white space at both ends.
constexpr std::string_view trimmed(std::string_view text)
{
    constexpr std::string_view white_space = " \t\r\n\f\v";
    const auto first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

}  // namespace orch::core
