#include "server/text.hpp"

#include "core/json.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace orch::bridge {

bool is_utf8(std::string_view text)
{
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            i++;
            continue;
        }
        const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || i + static_cast<size_t>(more) >= text.size()) return false;
        uint32_t point = lead & (0x3f >> more);
        for (int k = 1; k <= more; k++) {
            const auto next = static_cast<unsigned char>(text[i + static_cast<size_t>(k)]);
            if ((next & 0xc0) != 0x80) return false;
            point = point << 6 | (next & 0x3f);
        }
        if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff)) || (point >= 0xd800 && point <= 0xdfff)) return false;
        i += static_cast<size_t>(more) + 1;
    }
    return true;
}

bool equal_without_case(std::string_view a, std::string_view b)
{
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

namespace {
constexpr std::string_view base64url_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

std::string to_base64url(std::string_view bytes)
{
    std::string text;
    uint32_t held = 0;
    int bits = 0;
    for (const char c : bytes) {
        held = held << 8 | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6) text += base64url_digits[held >> (bits - 6) & 63];
    }
    if (bits > 0) text += base64url_digits[held << (6 - bits) & 63];
    return text;
}

bool from_base64url(std::string_view text, std::string &bytes)
{
    uint32_t held = 0;
    int bits = 0;
    bytes.clear();
    for (const char c : text) {
        const auto digit = base64url_digits.find(c);
        if (digit == base64url_digits.npos) return false;
        held = held << 6 | static_cast<uint32_t>(digit);
        if ((bits += 6) >= 8) bytes += static_cast<char>(held >> (bits -= 8) & 255);
    }
    return text.size() % 4 != 1;
}

std::string json_string(std::string_view text) { return core::to_text(text); }

}  // namespace orch::bridge
