// What is wrong with a definition: a place, a code that programs branch on, and sentences for people. The texts are safe to show: bounded, with control characters escaped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace orch::core {

enum class Severity : uint8_t { error, warning };

std::string_view severity_name(Severity severity);

/// Every code that a problem can have. docs/errors.md holds the meaning and the cure of each; a test compares the two.
enum class ProblemCode : uint8_t {
    json_syntax,
    json_encoding,
    json_nul,
    json_too_large,
    json_too_deep,
    json_duplicate_key,
    json_number_out_of_range,
    wrong_type,
    missing_key,
    unknown_key,
    misplaced_key,
    not_supported_yet,
    out_of_range,
    unknown_value,
    invalid_id,
    invalid_text,
    no_tasks,
    duplicate_id,
    id_mismatch,
    no_executor,
    several_executors,
    exclusive_settings,
    self_dependency,
    unknown_dependency,
    duplicate_dependency,
    misplaced_dependency,
    cycle,
    template_syntax,
    template_unknown_name,
    template_unknown_task,
    template_not_ancestor,
    template_quote_id,
    template_in_sql,
    template_in_shell,
    template_in_key,
    template_not_allowed,
    secret_not_allowed,
    path_invalid,
    // Found with the catalogue, by the engine:
    sql_invalid,
    unknown_handler,
    unknown_workflow,
    endless_recursion,
    more_problems,
};

inline constexpr std::size_t problem_code_count = static_cast<std::size_t>(ProblemCode::more_problems) + 1;

std::string_view code_name(ProblemCode code);

struct Problem {
    Severity severity;
    std::string path;     // JSON Pointer (RFC 6901), empty for the whole document
    std::string code;     // code_name() of a ProblemCode
    std::string message;  // lower case, no period: what is wrong, with the offending value
    std::string detail;   // full sentences of fact, may be empty
    std::string hint;     // full sentences that tell what to do, may be empty
};

bool has_errors(std::span<const Problem> problems);

/// The text in double quotes, control characters and broken UTF-8 as \xNN, cut at about `limit` bytes, the true length said.
std::string in_quotes(std::string_view text, std::size_t limit = 100);

/// One line a problem, ready for the DETAIL of an error; stops before `limit` bytes and then says how many are left.
std::string summary(std::span<const Problem> problems, std::size_t limit = 3500);

/// `path` with one more reference token, escaped by RFC 6901 and shortened when it is absurdly long.
std::string pointer_to(std::string_view path, std::string_view token);
std::string pointer_to(std::string_view path, std::size_t index);

}  // namespace orch::core
