// Refused single settles: they raised, so their transaction could not write the event; the steward does.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

struct Refusal {
    TaskRef task;
    int32_t attempt;
    char code[6];  // SQLSTATE
    char worker[129];
};

/// At once, survives the abort. When 64 are waiting the newest is dropped and counted.
void refuse(const Refusal &refusal) noexcept;

/// Copies up to `max`; they leave the ring when this transaction commits. One taker at a time: the steward.
int take_refusals(int max, Refusal *out);

}  // namespace orch::shared
