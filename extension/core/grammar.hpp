// The words of a definition and the shape of each value: the tables that validation walks. docs/definition.schema.json says the same for editors, and a test compares the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace orch::core {

enum class Shape : uint8_t {
    any,
    object,   // of anything
    scalars,  // object of texts, numbers and booleans
    texts,    // object of texts
    list,     // of anything
    labels,   // list of texts, or object of scalars
    line,     // text of one line
    text,     // text of several lines
    id,
    integer,
    number,
    choice,         // one of `choices`
    errors,         // list of error classes, codes and exit codes
    not_yet,        // part of the grammar whose feature is not built
    checked_apart,  // by a function of its own
};

struct Field {
    std::string_view name;
    Shape shape;
    double least = 0;
    double most = 0;
    std::string_view choices = {};   // separated by spaces
    std::string_view executor = {};  // the one executor beside which it may stand
};

inline constexpr double longest_seconds = 315'360'000;  // ten years
inline constexpr std::size_t longest_name = 1000;

std::span<const Field> workflow_fields();
std::span<const Field> task_fields();
std::span<const Field> http_fields();
std::span<const Field> circuit_fields();
std::span<const Field> decision_fields();
std::span<const Field> signal_fields();
std::span<const Field> approval_fields();
std::span<const Field> child_fields();

const Field *find_field(std::span<const Field> fields, std::string_view name);

/// The word of the grammar that was probably meant, or empty: a synonym of other engines, a longer form, or the nearest by letters.
std::string_view nearest_word(std::span<const Field> fields, std::span<const std::string_view> more_words, std::string_view word);

/// The executors of a definition by name, for lists in messages and for nearest_word.
std::span<const std::string_view> executor_words();

/// Those, and the two that only workflows in code have, in the order of enum Executor.
std::span<const std::string_view> all_executor_words();

/// Settings that an SQL task may make for itself: none that lifts a limit, changes the role, or weakens the durability of the engine's own commit.
bool is_sql_setting(std::string_view name);

}  // namespace orch::core
