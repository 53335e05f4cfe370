#pragma once

#include "orch/command.hpp"
#include "task.hpp"

namespace orch {

/// Runs the `command` of a task's spec to its end. `max_result` bounds the output's JSON in bytes.
[[nodiscard]] outcome run_command(task &work, process_guard &guard, std::chrono::milliseconds grace, size_t max_result);

/// Runs a handler; whatever it throws becomes the attempt's error.
[[nodiscard]] outcome run_handler(task &work, const handler_function &function);

/// The text with each {{ secrets.NAME }} replaced by what `lookup` gives for it. Throws task_error where that is nothing.
[[nodiscard]] std::string fill_secrets(std::string_view text, const std::function<const char *(const std::string &)> &lookup);

}  // namespace orch
