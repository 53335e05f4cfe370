// Advances: runs, or single joins, that somebody must look at.
#pragma once

#include "shared/types.hpp"

#include <cstdint>

namespace orch::shared {

/// task_no -1: the whole run; else one join by its child's number. Once while queued. Wakes the steward. Without room for it the sweep flag is set.
void on_commit_advance(const TaskRef &task);

/// The same of a run that was cancelled: until somebody has looked, its ready tasks are in the lists and in their rows as if nothing had happened.
void on_commit_cancel(const RunId &run);

/// Whether there may be such runs. A hint: it is set before the caller of a cancel hears that it is done.
bool cancels_unseen();
void set_cancels_unseen();

/// This transaction's until it ends; an abort puts them back.
int take_advance(int max, TaskRef *out);

/// Whether everything active must be looked at once, because there was no room. Clears it; an abort sets it again.
bool take_sweep();

/// The run is over: wakes those who await it, drops its counters.
void on_commit_run_over(const RunId &run);

/// Wakes those who await this run, or this question: what they ask for is there.
void on_commit_told(const RunId &id);

}  // namespace orch::shared
