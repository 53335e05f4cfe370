#pragma once

#include "orch/worker.hpp"

#include <string_view>

namespace orch {

/// Whether a status is among those of `expected`: 200, "2xx", "200-299", "< 400", or a list of these. Throws task_error for anything else.
[[nodiscard]] bool expects_status(const json &expected, int status);

/// Whether `value` has all that `part` has: each member of an object, each element of a list somewhere in the list, any other value by equality.
[[nodiscard]] bool contains(const json &value, const json &part);

/// The class of a task error that an HTTP status stands for, by the same table as the engine's.
[[nodiscard]] std::string_view class_of_http_status(int status) noexcept;

}  // namespace orch
