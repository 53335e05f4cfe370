#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace orch::cli {

struct tree_task {
    std::string id, state, worker, error;
    int attempt = 0, max_attempts = 0, level = 0;
    std::vector<std::string> dependencies;
    nlohmann::json progress;  // what its worker told last, or null
    double seconds = 0;       // that it runs, or ran
};

enum class colour { none, faint, green, red, yellow, blue };

/// A line of the picture, with the part that has a colour.
struct tree_line {
    std::string text;
    size_t from = 0, length = 0;
    colour tint = colour::none;
    bool is_busy = false;  // worth a place where not all have one
};

/// Tasks as a tree, each below the deepest of those that it depends on: indented where that one has several, and straight below it where it is the only one.
[[nodiscard]] std::vector<tree_line> draw_tree(const std::vector<tree_task> &tasks);

/// At most `height` lines of at most `width` columns: of more, the busy ones, and how many are left out.
[[nodiscard]] std::vector<tree_line> fitted(std::vector<tree_line> lines, size_t width, size_t height);

/// `███████░░░ 70 %` of {percent} or {done, total}, else the JSON itself, shortened; empty for null.
[[nodiscard]] std::string progress_bar(const nlohmann::json &progress);

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 7 min`.
[[nodiscard]] std::string span_text(double seconds);

/// One character of one column for a state of a task or a run, and its colour.
[[nodiscard]] std::string_view symbol_of(std::string_view state);
[[nodiscard]] colour colour_of(std::string_view state);

}  // namespace orch::cli
