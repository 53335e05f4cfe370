#pragma once

#include "orch/worker.hpp"

#include <memory>
#include <string>

namespace orch::cli {

/// Counts a worker's work and serves the counts to Prometheus at /metrics. `listen` is a port, or ADDRESS:PORT. Throws std::runtime_error where that is taken.
[[nodiscard]] std::shared_ptr<observer> serve_metrics(const std::string &listen);

}  // namespace orch::cli
