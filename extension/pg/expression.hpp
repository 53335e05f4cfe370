// SQL/JSON paths that users wrote, evaluated under a time limit and inside a subtransaction, so that a bad one costs its task and nothing else.
#pragma once

#include "pg/bridge.hpp"

#include <functional>

namespace orch::pg {

/// The time limit was reached, or PostgreSQL raised something while a path was evaluated.
struct expression_failed {
    bool timed_out;
    std::string message;
};

/// Runs f in a subtransaction, for at most limit_ms. Throws expression_failed for an error of PostgreSQL; other exceptions pass through after a rollback.
void bounded(int limit_ms, const std::function<void()> &f);

/// What a path finds: nothing, the one element, or an array of them. Call inside bounded().
std::optional<Datum> find_path(Datum document, const std::string &path);

/// A predicate in lax mode; unknown is false. Call inside bounded().
bool path_holds(Datum document, const std::string &path);

/// Nothing, or what is wrong with the syntax of a path.
std::optional<std::string> path_fault(std::string_view path);

}  // namespace orch::pg
