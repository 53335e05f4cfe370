// This database's slot in shared memory: whether it is open for leasing, who its steward is, and how to wake them.
#pragma once

#include "shared/types.hpp"

#include <cstdint>
#include <sys/types.h>

namespace orch::shared {

struct Database;  // shared/layout.hpp: for the files of shared/ only

/// unused: the extension is here and nothing was defined yet; closed: start, the steward has not looked yet;
/// rebuilding: rows are being read; open: leasing is allowed; held: the rows belong to another cluster or database.
enum class Phase : uint32_t { unused, closed, rebuilding, open, held };

/// Whether orch stands in shared_preload_libraries, so that there is shared memory at all.
bool preloaded() noexcept;

/// Raises OR031 with the hint where it is not preloaded.
void require_preloaded();

/// This backend's slot, made at the first call. Raises OR031 when not preloaded, 53400 when all slots are taken by other databases.
/// A slot is born closed and asks the launcher for a steward.
Database &database();

Phase phase();
/// The steward's to call. Wakes everybody in wait_until_*. Entering `rebuilding` forgets all entries, leases, timers, counters and advances of this database,
/// but not what open transactions have reserved, and begins a new generation. `closed` forgets the feed's position and the partitions as well.
void set_phase(Phase phase);

/// Goes up at each rebuild: what was read from memory under another generation is worth nothing.
uint32_t generation();

/// Sleeps, interruptibly, until the phase is open. False at the timeout, and at once where the phase is held.
bool wait_until_open(int64_t timeout_ms);

// The steward -----------------------------------------------------------------

/// This process is the steward from now until it exits (cleaned up by before_shmem_exit). False where another one is alive.
bool become_steward();
/// What the steward found: whether the extension is here. False lets the launcher forget the database until orch_attach.
void set_wants_steward(bool wants);
int steward_pid();
/// For how long it has been wanted and has not looked: the length of a turn or a pause after an error. 0 while it sleeps with nothing due, and where there is none.
int64_t steward_late_us();

/// Sets the steward's latch. With no steward alive it wakes the launcher instead.
void wake_steward() noexcept;
void wake_launcher() noexcept;
/// Sets the steward's latch at commit: after register, retry, or whatever else it should look at.
void on_commit_wake_steward();

/// For CREATE EXTENSION (orch_attach): at commit this database asks for a steward.
void on_commit_attach();

// SQL runners -------------------------------------------------------------------

/// A SQL runner registers itself so that DROP DATABASE can stop it; cleaned up at exit. False when the database steps aside or all places are taken: exit then.
bool helper_begin();

}  // namespace orch::shared
