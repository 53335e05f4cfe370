#include "core/problem.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::array<std::string_view, problem_code_count> names = {
    "json_syntax",
    "json_encoding",
    "json_nul",
    "json_too_large",
    "json_too_deep",
    "json_duplicate_key",
    "json_number_out_of_range",
    "wrong_type",
    "missing_key",
    "unknown_key",
    "misplaced_key",
    "not_supported_yet",
    "out_of_range",
    "unknown_value",
    "invalid_id",
    "invalid_text",
    "no_tasks",
    "duplicate_id",
    "id_mismatch",
    "no_executor",
    "several_executors",
    "exclusive_settings",
    "self_dependency",
    "unknown_dependency",
    "duplicate_dependency",
    "misplaced_dependency",
    "cycle",
    "template_syntax",
    "template_unknown_name",
    "template_unknown_task",
    "template_not_ancestor",
    "template_quote_id",
    "template_in_sql",
    "template_in_shell",
    "template_in_key",
    "template_not_allowed",
    "secret_not_allowed",
    "path_invalid",
    "sql_invalid",
    "unknown_handler",
    "unknown_workflow",
    "endless_recursion",
    "more_problems",
};
static_assert(!names.back().empty(), "every ProblemCode has its name");

constexpr std::size_t longest_pointer = 400;

/// Bytes of the well-formed UTF-8 character that `text` begins with, or 0.
std::size_t character_length(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first < 0xf0) return follows(1) && follows(2) && !(first == 0xe0 && byte(1) < 0xa0) && !(first == 0xed && byte(1) >= 0xa0) ? 3 : 0;
    if (first >= 0xf0 && first < 0xf5)
        return follows(1) && follows(2) && follows(3) && !(first == 0xf0 && byte(1) < 0x90) && !(first == 0xf4 && byte(1) >= 0x90) ? 4 : 0;
    return 0;
}

// C0, DEL and C1 steer terminals; U+2028..202E and U+2066..2069 break lines or turn the direction of what follows.
bool steers(std::string_view character)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
    if (character.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
    if (character.size() != 3 || byte(0) != 0xe2) return false;
    return (byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) || (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
}

void append_escaped(std::string &out, std::string_view text)
{
    constexpr std::string_view digits = "0123456789abcdef";
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0 || steers(text.substr(0, length))) {
            for (unsigned char byte : text.substr(0, std::max<std::size_t>(length, 1))) {
                out += "\\x";
                out += digits[byte >> 4];
                out += digits[byte & 15];
            }
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

std::string_view whole_characters(std::string_view text, std::size_t limit)
{
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0u) == 0x80u) limit--;
    return text.substr(0, limit);
}

void append_token(std::string &path, std::string_view token)
{
    path += '/';
    for (char c : token) {
        if (c == '~') path += "~0";
        else if (c == '/') path += "~1";
        else path += c;
    }
}

}  // namespace

std::string_view severity_name(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::string_view code_name(ProblemCode code) { return names[static_cast<std::size_t>(code)]; }

bool has_errors(std::span<const Problem> problems)
{
    return std::any_of(problems.begin(), problems.end(), [](const Problem &problem) { return problem.severity == Severity::error; });
}

std::string in_quotes(std::string_view text, std::size_t limit)
{
    std::string out = "\"";
    append_escaped(out, text.size() > limit ? whole_characters(text, limit) : text);
    if (text.size() <= limit) return out + '"';
    return out + "…\" (" + std::to_string(text.size()) + " bytes)";
}

std::string summary(std::span<const Problem> problems, std::size_t limit)
{
    std::string out;
    for (std::size_t i = 0; i < problems.size(); i++) {
        const Problem &problem = problems[i];
        std::string line = problem.path.empty() ? std::string() : problem.path + ": ";
        line += problem.message + " (" + problem.code + ")";
        if (out.size() + line.size() + 1 > limit)
            return out + (out.empty() ? "" : "\n") + std::to_string(problems.size() - i) + " more problems are not shown here.";
        if (!out.empty()) out += '\n';
        out += line;
    }
    return out;
}

std::string pointer_to(std::string_view path, std::string_view token)
{
    // A pointer that is cut still says where to look; one of 100,000 letters would bury the answer.
    std::string out(path);
    if (out.size() > longest_pointer) return out;
    std::string shown;
    append_escaped(shown, token.size() > longest_pointer / 2 ? whole_characters(token, longest_pointer / 2) : token);
    append_token(out, shown);
    if (token.size() > longest_pointer / 2) out += "…";
    return out;
}

std::string pointer_to(std::string_view path, std::size_t index) { return pointer_to(path, std::to_string(index)); }

}  // namespace orch::core
