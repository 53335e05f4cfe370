#include "orch/text.hpp"

namespace orch {

size_t character_length(std::string_view bytes) noexcept
{
    if (bytes.empty()) return 0;
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return 0;
    for (size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF have a second byte out of these bounds.
    const unsigned char second = byte(1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
    return length;
}

std::string clean_text(std::string_view bytes)
{
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const size_t length = bytes[0] == '\0' ? 0 : character_length(bytes);
        if (length == 0) {
            text += "\xEF\xBF\xBD";
            bytes.remove_prefix(1);
            continue;
        }
        text += bytes.substr(0, length);
        bytes.remove_prefix(length);
    }
    return text;
}

namespace {
bool continues(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }
}  // namespace

std::string_view front_of(std::string_view text, size_t max) noexcept
{
    if (text.size() <= max) return text;
    while (max > 0 && continues(text[max])) --max;
    return text.substr(0, max);
}

std::string_view back_of(std::string_view text, size_t max) noexcept
{
    if (text.size() <= max) return text;
    size_t from = text.size() - max;
    while (from < text.size() && continues(text[from])) ++from;
    return text.substr(from);
}

}  // namespace orch
