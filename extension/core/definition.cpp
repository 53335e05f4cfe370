#include "core/definition.hpp"

#include "core/grammar.hpp"

#include <algorithm>
#include <cmath>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

void append_entries(std::vector<TaskEntry> &entries, const Json *tasks, bool is_finally)
{
    if (tasks == nullptr) return;
    std::size_t index = 0;
    if (tasks->is_object()) {
        for (const auto &[key, body] : tasks->get_ref<const Json::object_t &>()) entries.push_back({key, &body, is_finally, false, index++});
    } else if (tasks->is_array()) {
        for (const Json &body : *tasks) {
            const Json *id = member(body, "id");
            entries.push_back(
                {id && id->is_string() ? std::string_view(id->get_ref<const std::string &>()) : std::string_view(), &body, is_finally, true, index++});
        }
    }
}

}  // namespace

std::vector<TaskEntry> task_entries(const Json &spec)
{
    std::vector<TaskEntry> entries;
    append_entries(entries, member(spec, "tasks"), false);
    append_entries(entries, member(spec, "finally"), true);
    return entries;
}

std::string_view executor_name(Executor executor) { return all_executor_words()[static_cast<std::size_t>(executor)]; }

bool runs_in_engine(Executor executor)
{
    switch (executor) {
    case Executor::workflow:
    case Executor::sleep:
    case Executor::until:
    case Executor::signal:
    case Executor::approval:
    case Executor::decision:
    case Executor::noop: return true;
    default: return false;
    }
}

bool has_one_attempt(Executor executor) { return runs_in_engine(executor) && executor != Executor::workflow; }

std::optional<Executor> executor_from(std::string_view word)
{
    const auto words = all_executor_words();
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end() || word == executor_name(Executor::step)) return std::nullopt;
    return static_cast<Executor>(found - words.begin());
}

bool is_ignored_key(std::string_view key) { return key.substr(0, 2) == "x-" || key == "comment"; }

bool is_identifier(std::string_view text)
{
    const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    return !text.empty() && text.size() <= longest_id && is_alphanumeric(text[0]) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return is_alphanumeric(c) || std::string_view("-./+:").find(c) != std::string_view::npos; });
}

std::optional<int64_t> as_integer(const Json &value)
{
    if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    if (value.is_number_integer()) return value.get<int64_t>();
    if (!value.is_number_float()) return std::nullopt;
    const double number = value.get<double>();
    if (std::trunc(number) != number || std::abs(number) > 9e15) return std::nullopt;
    return static_cast<int64_t>(number);
}

}  // namespace orch::core
