// What a worker is told of a task: its executor's definition and what stands beside it.
#pragma once

#include "core/plan.hpp"
#include "core/template.hpp"

#include <string>

namespace orch::core {

/// {EXECUTOR: its definition, params, settings, env, timeout_seconds, metadata}, only keys that the definition has.
Json spec_of(const PlannedTask &task);

/// JSON text of it with its templates replaced, each part for its use: a command's env, http headers and an http body are filled in by the worker, an http url is encoded.
/// Throws template_error.
std::string render_spec(const PlannedTask &task, const Resolver &resolver);

/// The same of a task that holds values only, as code starts them: two braces in it are no template, and no secret either.
std::string spec_of_values(const PlannedTask &task);

}  // namespace orch::core
