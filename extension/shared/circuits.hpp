// Circuit breakers, shared by all workers. A route whose tasks have a circuit is theirs alone: while the circuit lets nobody through, that list waits and no other.
#pragma once

#include "core/circuit.hpp"
#include "shared/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orch::shared {

/// What the end of an attempt tells, counted at the commit. Call it before on_commit_unlease: whether the attempt was a probe is known by its lease.
void on_commit_outcome(const TaskRef &task, int route_slot, core::CircuitOutcome outcome, const core::CircuitPolicy &policy);

/// A route whose tasks have a fallback and wait for a circuit that lets nobody through, in turn; no_slot where there is none. Pinned for this transaction.
int route_to_fall_back();

/// Closes a circuit at once; false where memory does not know it, which is a closed one.
bool reset_circuit(std::string_view tenant, std::string_view name, bool &was_closed);

struct CircuitStatus {
    std::string name, tenant;  // folded
    core::CircuitState state;
    int failures_in_row;
    bool probing;
    int64_t opened_us;     // wall clock; 0 = closed
    int64_t half_open_us;  // wall clock, of an open one; else 0
};
std::vector<CircuitStatus> circuit_status();

/// Routes with work whose circuit found no place among the 128 of the database: their tasks go on without one.
int64_t circuits_left_out();

}  // namespace orch::shared
