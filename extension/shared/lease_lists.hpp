// Lists of leases by worker, for the files of shared/.
#pragma once

#include "shared/layout.hpp"

namespace orch::shared {

/// The earliest deadline of the database, exact where a list's bound had passed. The database's lock is held.
int64_t earliest_lease(Database &database, int64_t now) noexcept;

/// Leases of a slot that is to be reused or shown: those committed.
uint32_t held_leases(const LeaseList &list) noexcept;

}  // namespace orch::shared
