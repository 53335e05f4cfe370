// The letters that rows carry for states and the numbers that events carry for kinds: the one table of both, and their words.
#pragma once

#include <cstdint>
#include <string_view>

namespace orch::core {

namespace run_state {
inline constexpr char queued = 'q', scheduled = 'd', running = 'r', paused = 'p', cancelling = 'c';
inline constexpr char succeeded = 'S', failed = 'F', timed_out = 'T', cancelled = 'C';
}  // namespace run_state

namespace task_state {
inline constexpr char pending = 'p', ready = 'y', running = 'r', scheduled = 'd', waiting = 'w';
inline constexpr char succeeded = 'S', failed = 'F', timed_out = 'T', skipped = 'K', upstream_failed = 'U', cancelled = 'C';
}  // namespace task_state

/// Final states are the upper-case letters, for runs and tasks alike.
constexpr bool is_final(char state) { return state >= 'A' && state <= 'Z'; }

/// Failed for the purpose of trigger rules and of the run's own end: failed, timed out or cancelled.
constexpr bool counts_as_failed(char state) { return state == 'F' || state == 'T' || state == 'C'; }

enum class EventKind : int16_t {
    run_triggered = 1,
    run_started = 2,
    run_paused = 3,
    run_resumed = 4,
    run_cancel_requested = 5,
    run_reopened = 6,
    run_succeeded = 7,
    run_failed = 8,
    run_timed_out = 9,
    run_cancelled = 10,
    run_queued = 11,
    task_started = 20,
    task_retry_scheduled = 21,
    task_released = 22,
    task_succeeded = 23,
    task_failed = 24,
    task_timed_out = 25,
    task_skipped = 26,
    task_upstream_failed = 27,
    task_cancelled = 28,
    task_waiting = 29,
    timer_created = 40,
    timer_fired = 41,
    signal_sent = 42,
    signal_received = 43,
    lease_expired = 50,
    settle_refused = 51,
    map_expanded = 60,
    child_started = 61,
    task_added = 62,
    step_recorded = 63,
    child_ended = 64,
    task_suspended = 65,
    task_woken = 66,
    task_reopened = 67,
    update_sent = 68,
};

/// The words that views show; empty for a letter or number that stands for nothing.
std::string_view run_state_name(char state);
std::string_view task_state_name(char state);
/// The letter of a task's state by its word; 0 where there is none.
char task_state_from(std::string_view name);
std::string_view event_kind_name(int16_t kind);

/// The event that a task's or a run's final state is recorded by.
EventKind task_end_event(char state);
EventKind run_end_event(char state);

}  // namespace orch::core
