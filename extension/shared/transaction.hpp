// What a transaction does to shared memory: written down at the call, with its memory reserved; done in the commit callback, which may neither allocate nor fail; undone at abort.
// Subtransactions: theirs is the parent's after RELEASE and undone by ROLLBACK TO. PREPARE TRANSACTION with anything written down raises 0A000.
//
// One include for the engine: everything that a transaction can do.
#pragma once

#include "shared/active.hpp"
#include "shared/advances.hpp"
#include "shared/counters.hpp"
#include "shared/leases.hpp"
#include "shared/meters.hpp"
#include "shared/ready.hpp"
#include "shared/refusals.hpp"
#include "shared/timers.hpp"

namespace orch::shared {

/// Whether this transaction has anything to do at commit, or has taken anything.
bool transaction_pending() noexcept;

/// Registers the callbacks; in _PG_init, so that every process inherits them.
void register_transaction_callbacks();

}  // namespace orch::shared
