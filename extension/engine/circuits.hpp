// Circuits: what attempts tell them, and tasks that take their fallback while one is open. When they open and close is core/circuit.hpp.
#pragma once

#include "engine/call.hpp"

namespace orch::engine {

/// An attempt of this task ended; counted when this transaction commits. Call it before its lease is taken away. `item`: of a row at hand.
void tell_circuit(const Version &version, const TaskRef &task, core::CircuitOutcome outcome, std::optional<Datum> item = {});
core::CircuitOutcome outcome_of_error(std::string_view error_class);

/// Closes a circuit of the caller's tenant. False where it was closed; raises 42704 for one that no definition names.
bool reset_circuit(Call &call, const std::string &name);

}  // namespace orch::engine
