// What the steward does in memory alone, without a statement: give back what was put back, pass on unused wakes, and find out how long it may sleep.
#pragma once

#include <cstdint>

namespace orch::shared {

void upkeep();

/// What is waiting for a turn of the steward.
struct Chores {
    bool timers, leases, advances, refusals, sweep, rescan, fallbacks, runners, recheck, partitions, uses;
    bool any() const { return timers || leases || advances || refusals || sweep || rescan || fallbacks || runners || recheck || partitions || uses; }
};
/// Where there are none, everybody who makes some sets the latch from now on, and `sleep_ms` says how long nothing will be due (-1: for ever).
Chores chores(int64_t &sleep_ms);

/// For a database that is not open: from now on a poke sets the latch, and nothing else ends the sleep. False when somebody wants a look already.
bool sleep_until_poked();

/// Clears the wish for SQL runners, before they are counted: one made meanwhile is not lost.
bool take_runners();

}  // namespace orch::shared
