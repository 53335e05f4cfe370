// The launcher: one a cluster, in no database; sees to it that each database with the extension has a steward.
#pragma once

namespace orch::background {

/// Registers it with the postmaster; in _PG_init.
void register_launcher();

}  // namespace orch::background
