#pragma once

#include "orch/worker.hpp"

namespace orch {

/// The same handler, each call of it in a process of its own that is killed where it does not stop: `grace` after it was told to. The processes are forked from
/// one that is forked here and now, and has this thread only, since a fork of a process with threads may find any lock taken.
[[nodiscard]] handler_function isolated(const handler_function &function, std::chrono::milliseconds grace, const std::shared_ptr<const payloads> &store = {});

}  // namespace orch
