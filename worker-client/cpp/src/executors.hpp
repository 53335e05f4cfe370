#pragma once

#include "leased_task.hpp"
#include "orch/command.hpp"
#include "secrets.hpp"

namespace orch {

/// Runs the `command` of a task's spec to its end. `max_result` bounds the output's JSON in bytes.
[[nodiscard]] outcome run_command(leased_task &work, process_guard &guard, std::chrono::milliseconds grace, size_t max_result, const secret_lookup &lookup);

/// Makes the request of a task's `http`. `max_result` bounds the answer's body in bytes.
[[nodiscard]] outcome run_http(leased_task &work, const secret_lookup &lookup, size_t max_result);

/// Runs a handler; whatever it throws becomes the attempt's error.
[[nodiscard]] outcome run_handler(leased_task &work, const handler_function &function);

/// The exception that is being handled, as the error of an attempt or a step. Call it in a catch block.
[[nodiscard]] json thrown_error();

/// How an attempt ends that has stopped because it was asked to.
[[nodiscard]] outcome ended_early(const leased_task &work);

}  // namespace orch
