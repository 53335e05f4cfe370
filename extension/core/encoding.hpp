// Bytes as text: hexadecimal digits, and RFC 4648's two base64 alphabets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace orch::core {

/// `standard` is padded, `url` is not and stands in addresses as it is.
enum class Base64 : uint8_t { standard, url };

std::string base64(std::span<const uint8_t> bytes, Base64 alphabet = Base64::standard);

/// Nothing for a text that is none. Padding may be left out; `url` takes none.
std::optional<std::string> from_base64(std::string_view text, Base64 alphabet = Base64::standard);

/// In lower case.
std::string hex(std::span<const uint8_t> bytes);

/// The value of a hexadecimal digit, -1 for another character.
constexpr int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

inline std::span<const uint8_t> as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

}  // namespace orch::core
