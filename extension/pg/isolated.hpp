// One item of a batch in a subtransaction of its own, so that a bad one costs itself and not the others.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// Runs f; an error of any kind rolls back what f did, is logged (`doing`, and what happens `next`), and returns false.
bool isolated(const char *doing, const char *next, const std::function<void()> &f);

}  // namespace orch::pg
