// Timers: due times by the wall clock. Whether one still counts is asked of the row when it fires.
#pragma once

#include "shared/types.hpp"

#include <cstdint>

namespace orch::shared {

enum class TimerKind : uint8_t { retry, sleep, run_at, run_deadline, attempt_deadline };

struct Timer {
    TaskRef task;  // task_no -1 for a run's own
    int64_t due_us;
    TimerKind kind;
};

/// Without room for it, its time is remembered as rescan_at instead.
void on_commit_timer(int64_t due_us, const TaskRef &task, TimerKind kind);
/// At once, for rebuild and rescan.
void push_timer(int64_t due_us, const TaskRef &task, TimerKind kind);

/// Timers due at `now_us`, the earliest first; this transaction's until it ends, an abort puts them back.
int take_due(int64_t now_us, int max, Timer *out);

/// The smallest due time that memory had no room for; INT64_MAX where there is none. When it has come, all timers are read from the rows again.
int64_t rescan_at();
/// Forgets it and all timers before the rows are read (take a new snapshot after this); an abort restores it. Pushes that find no room set it anew.
void rescan_begin();
/// The rows are read again by then.
void rescan_by(int64_t due_us);
/// How many timers one reading of the rows may put into memory: three quarters of their room, so that the next new one does not make them be read again.
size_t timers_from_rows();

}  // namespace orch::shared
