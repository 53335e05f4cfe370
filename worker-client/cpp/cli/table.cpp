#include "table.hpp"

#include "orch/text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cwchar>

namespace orch::cli {
namespace {

uint32_t code_point(std::string_view character)
{
    const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(character[i])); };
    switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default: return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    }
}

/// What acts on a terminal instead of being seen: controls, line separators, zero-width and direction marks, tags.
bool acts(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x061C || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB) ||
           (code >= 0xE0000 && code <= 0xE007F);
}

}  // namespace

std::string visible(std::string_view text)
{
    std::string shown;
    while (!text.empty()) {
        const size_t length = character_length(text);
        char escape[16] = "";
        if (length == 0) snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[0]));
        else if (text[0] == '\n') snprintf(escape, sizeof escape, "\\n");
        else if (text[0] == '\t') snprintf(escape, sizeof escape, "\\t");
        else if (const auto code = code_point(text.substr(0, length)); acts(code)) snprintf(escape, sizeof escape, "\\u%04x", code);
        if (escape[0] != '\0') shown += escape;
        else shown += text.substr(0, length);
        text.remove_prefix(std::max<size_t>(length, 1));
    }
    return shown;
}

size_t width_of(std::string_view text)
{
    size_t width = 0;
    while (!text.empty()) {
        const size_t length = std::max<size_t>(character_length(text), 1);
        width += static_cast<size_t>(std::max(::wcwidth(static_cast<wchar_t>(code_point(text.substr(0, length)))), 0));
        text.remove_prefix(length);
    }
    return width;
}

std::string shortened(std::string text, size_t max)
{
    if (width_of(text) <= max) return text;
    while (!text.empty() && width_of(text) + 3 > max) text = front_of(text, text.size() - 1);
    return text + "...";
}

std::string table(const std::vector<std::string> &headings, const std::vector<std::vector<std::string>> &lines)
{
    std::vector<size_t> widths;
    widths.reserve(headings.size());
    for (const auto &heading : headings) widths.push_back(width_of(heading));
    for (const auto &line : lines)
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
    std::string text;
    const auto add = [&](const std::vector<std::string> &line) {
        for (size_t i = 0; i < line.size(); ++i) text += line[i] + std::string(widths[i] - width_of(line[i]) + 2, ' ');
        text.erase(text.find_last_not_of(' ') + 1);
        text += '\n';
    };
    add(headings);
    for (const auto &line : lines) add(line);
    return text;
}

}  // namespace orch::cli
