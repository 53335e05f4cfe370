// Ready tasks. The queue only suggests; the row decides. Everything named on_commit_* reserves its memory at the call, acts when this transaction has committed, and is forgotten
// when it, or the subtransaction that called, rolls back. What take_* gave is given back by the abort.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

/// A task becomes ready. Where memory has no room for it, the route's cursor is lowered and a refill will find the row.
void on_commit_ready(const TaskRef &task, int route_slot, int64_t sort_key);

/// A bulk trigger: `count` runs from `first` on have ready rows on this route; only lowers the cursor, and wakes up to `count` waiters.
void on_commit_spilled(int route_slot, const RunId &first, int64_t count);

/// Up to `max` tasks with the smallest keys over all routes that the worker serves. They are this transaction's until it ends. Nothing where the phase is not open, or the worker drains.
int take_ready(int worker_slot, int max, TaskRef *out);
/// The same of tasks that this very transaction has made ready: they need not wait for its commit. Handed out here, they are in no list.
int take_own_ready(int worker_slot, int max, TaskRef *out);
/// The same of one route, whatever its circuit says.
int take_ready_of_route(int route_slot, int max, TaskRef *out);

/// One that was taken and whose row is locked or not visible yet: it comes back some 50 ms after this transaction ended, however it ended.
void put_back(const TaskRef &task);

// Refill: rows that are ready and not in memory ------------------------------------
// The cursor of a route is the smallest run id that may have such rows. One process at a time refills a route.

/// A route that the worker serves, with few entries left and a cursor: no_slot where there is none. Pinned for this transaction.
int route_to_refill(int worker_slot);

/// Whether somebody is refilling a route that the worker serves: its entries come in while that goes on.
bool refill_in_progress(int worker_slot);

/// Takes the cursor. False where there is none, or somebody else is refilling. Take a NEW snapshot after this call: rows spilled before it are visible to that snapshot,
/// rows spilled later lower the cursor again. An abort before refill_end restores it.
bool refill_begin(int route_slot, RunId &from);

/// A ready row that the scan found. False when there is no room: end with that row's run id. Acts at once.
bool refill_push(int route_slot, const TaskRef &task, int64_t sort_key);

/// `reached`: the first run id that was not scanned wholly, no_run when the scan came to the end.
void refill_end(int route_slot, const RunId &reached);

/// Rebuild uses refill_push too; this lowers a cursor at once, for what it had no room for.
void lower_cursor(int route_slot, const RunId &run);

}  // namespace orch::shared
