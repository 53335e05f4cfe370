// What a SQL/JSON path names, found without evaluating it: which tasks' outputs to load, and whether they exist. Syntax is the server's to judge.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

/// One place in a path where it starts from the document: `$.ROOT`, or `$.tasks.ID`.
struct PathReference {
    std::string root;  // run, input, tasks, item, index, secrets ...; empty for a bare `$` or `$.*`
    std::string task;  // for root `tasks`: the id that follows; empty where none does (`$.tasks.*`)
    bool task_is_quoted = false;
    std::string_view after;  // the path from behind the root's dot on, into the given text
};

std::vector<PathReference> references(std::string_view jsonpath);

/// A light check for where no server is at hand: quotes closed, brackets paired, no control characters. Nothing, or what is wrong.
std::optional<std::string> light_path_check(std::string_view jsonpath);

/// Whether jsonpath takes `id` as a key without quotes.
bool is_plain_word(std::string_view id);

/// The rest of `text` behind the quoted string that it begins with, or npos where that is not closed. A jsonpath string escapes by backslash.
std::size_t end_of_string(std::string_view text, std::size_t start);

}  // namespace orch::core
