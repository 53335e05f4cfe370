#pragma once

#include "orch/worker.hpp"

#include <functional>
#include <string>

namespace orch::cli {

/// What takes a worker's words: lines for people, or `as_json` one object a line with time, level, message and, where it is about a task, run, task, attempt and trace.
[[nodiscard]] std::function<void(log_level, const std::string &, const task_context *)> worker_log(const std::string &least, bool as_json);

/// The JSON of one line.
[[nodiscard]] std::string json_line(log_level level, const std::string &text, const task_context *about, const std::string &time);

}  // namespace orch::cli
