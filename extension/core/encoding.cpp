#include "core/encoding.hpp"

#include "core/last_include.hpp"

namespace orch::core {

namespace {

constexpr std::string_view alphabets[] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

constexpr std::string_view letters_of(Base64 alphabet) { return alphabets[static_cast<size_t>(alphabet)]; }

}  // namespace

std::string base64(std::span<const uint8_t> bytes, Base64 alphabet)
{
    const std::string_view letters = letters_of(alphabet);
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    unsigned group = 0, bits = 0;
    for (const uint8_t byte : bytes) {
        group = group << 8 | byte;
        for (bits += 8; bits >= 6; bits -= 6) text += letters[group >> (bits - 6) & 63];
    }
    if (bits > 0) text += letters[group << (6 - bits) & 63];
    if (alphabet == Base64::standard) text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

std::optional<std::string> from_base64(std::string_view text, Base64 alphabet)
{
    const std::string_view letters = letters_of(alphabet);
    while (alphabet == Base64::standard && text.ends_with('=')) text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    unsigned group = 0, bits = 0;
    for (const char c : text) {
        const size_t digit = letters.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        group = group << 6 | static_cast<unsigned>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(group >> bits & 0xff);
    }
    return bytes;
}

std::string hex(std::span<const uint8_t> bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

}  // namespace orch::core
