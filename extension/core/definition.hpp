// Reading a definition's shape: tasks as a map or a list, defaults, executors. Shared by validation and compilation, so both see the same tasks under the same numbers.
#pragma once

#include "core/json.hpp"
#include "core/plan.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

struct TaskEntry {
    std::string_view id;  // a map's key or the `id` of a list's element; empty where that is missing or no text
    const Json *body;     // whatever stands there, an object in a valid definition
    bool is_finally;
    bool is_listed;  // an element of a list, at `index`
    std::size_t index;
};

/// Main tasks in the order of the text, then the finally tasks. Points into `spec`.
std::vector<TaskEntry> task_entries(const Json &spec);

std::optional<Executor> executor_from(std::string_view word);

/// `x-` keys and `comment`, which are kept and mean nothing here.
bool is_ignored_key(std::string_view key);

/// 1 to 128 of letters, digits and `_ - . / + :`, first a letter, digit or `_`.
bool is_identifier(std::string_view text);
inline constexpr std::size_t longest_id = 128;

/// The whole number that a JSON number stands for, 3 and 3.0 alike.
std::optional<int64_t> as_integer(const Json &value);

/// Calls `visit(const std::string &)` for each text inside of a value.
template <class Visit>
void for_each_text(const Json &value, const Visit &visit)
{
    if (value.is_string()) {
        visit(value.get_ref<const std::string &>());
    } else if (value.is_object()) {
        for (const auto &entry : value.get_ref<const Json::object_t &>()) for_each_text(entry.second, visit);
    } else if (value.is_array()) {
        for (const Json &element : value) for_each_text(element, visit);
    }
}

}  // namespace orch::core
