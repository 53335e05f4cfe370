// Refused settles whose event the steward writes: single ones, which raised, and those of tasks whose row was locked.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

struct Refusal {
    TaskRef task;
    int32_t attempt;
    char status[12];
    char worker[129];
    uint8_t tries = 0;  // how often the task's row was locked when it was to be written
};

/// At once, survives the abort. When 64 are waiting the newest is dropped and counted.
void refuse(const Refusal &refusal) noexcept;

/// Once more in a moment, since the task's row is locked; forgotten after a minute of that. False where it is.
bool refuse_again(Refusal refusal) noexcept;

/// Copies up to `max`; they leave the ring when this transaction commits. One taker at a time: the steward.
int take_refusals(int max, Refusal *out);

}  // namespace orch::shared
