// What the background does for the runs, one bounded piece a call. Each is called inside a transaction that the caller started and will commit;
// each returns true when more of the same is left. They switch to the engine's role by themselves.
#pragma once

#include "pg/postgres.hpp"

namespace orch::engine {

/// Reads every active run into shared memory: ready tasks, leases with a full lease time of grace, timers, counters, limits, the feed's position, the partitions' bounds.
/// The caller has set the phase to `rebuilding`, and sets it to `open` after the commit.
void rebuild();

/// Makes the partitions of the days ahead; tells shared memory their bounds at commit.
bool make_partitions();

/// Takes up to `limit` queued advances: joins whose last parent ended elsewhere, and runs that need a look as a whole.
bool advance_some(int limit);

/// Carries out up to `limit` timers that are due by the clock of shared memory.
bool fire_timers(int limit);

/// Takes back up to `limit` attempts whose lease has expired.
bool reap_leases(int limit);

/// Tasks whose circuit lets nobody through, and that have a fallback, take that: up to `limit` of one route.
bool fall_back(int limit);

/// Writes the refusals of single settles, which raised and so could not write themselves, into the history.
bool record_refusals(int limit);

/// Writes when tokens were used last; at most once a minute.
void write_token_uses();

/// Looks at every active run once more, after shared memory had no room for an advance.
void sweep();

/// Reads all timers from their rows again, after shared memory had no room for some.
void rescan_timers();

}  // namespace orch::engine
