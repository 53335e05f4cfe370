// From a definition to a version: examined as the caller, stored as the engine.
//
// Locks: the workflow's row first, so that registers of one workflow come one after the other; then routes, in order of queue and handler.
#pragma once

#include "core/problem.hpp"
#include "engine/call.hpp"

namespace orch::engine {

struct Examined {
    core::Json spec;
    std::vector<core::Problem> problems;
};

/// Every problem that the text has by itself or against the catalogue. Before a Call is open: SQL tasks are looked at with the caller's own rights and search_path.
Examined examine(std::string_view text);

/// Adds a warning for each handler that no registered worker serves on the task's queue. Inside a Call.
void warn_of_unknown_handlers(const Call &call, Examined &examined);

/// Adds a warning for each workflow that a task starts and that does not exist, and an error for each that would start this one again without end.
void examine_children(Call &call, Examined &examined);

struct Registered {
    std::string workflow;
    int32 version;
    bool created;
};

struct RegisterOptions {
    bool must_be_new = false;         // raise 42710 where the workflow exists
    std::optional<int32> if_version;  // raise OR021 unless this version is the current one; 0 stands for none
};

/// Stores a definition without errors as the next version of its workflow, unless the current one is equal to it.
Registered register_definition(Call &call, Datum spec, const RegisterOptions &options);

/// The engine's own workflow, as register_definition does it; nobody else may take its name.
Registered register_own(Call &call, Datum spec);

/// A workflow in code, as a worker says that it serves it. The same label with the same options is the version that has them, also where a newer one is current: workers of two
/// labels come and go beside each other. Raises 22023 for options that are none. Parked runs of the workflow are looked at again.
Registered register_code(Call &call, std::string_view workflow, std::string_view label, Datum options);

}  // namespace orch::engine
