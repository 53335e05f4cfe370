// Which state an event leads to, and from which states it may come: the one table that the engine changes rows by and that the history is folded by.
// The engine's statements are held to it when they are compiled (static_assert beside them) or when they run (engine/transitions.cpp).
//
// A pending task that becomes ready leaves no event: that it is ready follows from the rest, by core::Advance.
#pragma once

#include "core/states.hpp"

#include <optional>

namespace orch::core {

struct StateChange {
    EventKind kind;
    std::string_view from;  // letters
    char to;                // 0 = stays as it is
};

inline constexpr StateChange task_changes[] = {
    {EventKind::task_started, "py", task_state::running},  // pending: tasks that the engine runs are never ready
    {EventKind::task_retry_scheduled, "rw", task_state::scheduled},
    {EventKind::task_released, "r", task_state::ready},
    {EventKind::task_succeeded, "rwpy", task_state::succeeded},  // ready, or pending as a replay has it: by its fallback, with no attempt
    {EventKind::task_failed, "rpy", task_state::failed},
    {EventKind::task_timed_out, "rw", task_state::timed_out},
    {EventKind::task_skipped, "pr", task_state::skipped},  // running: its handler said so
    {EventKind::task_upstream_failed, "p", task_state::upstream_failed},
    {EventKind::task_cancelled, "pyrdw", task_state::cancelled},
    {EventKind::task_waiting, "r", task_state::waiting},
    {EventKind::timer_created, "r", task_state::waiting},
    {EventKind::timer_fired, "d", task_state::ready},
    {EventKind::task_suspended, "r", task_state::waiting},
    {EventKind::task_woken, "w", task_state::ready},
    {EventKind::timer_fired, "w", '\0'},
    {EventKind::signal_received, "rw", '\0'},
    {EventKind::child_started, "r", task_state::waiting},
    {EventKind::child_ended, "w", task_state::running},  // back with the engine, which says at once what became of the task
    {EventKind::lease_expired, "r", '\0'},
    {EventKind::settle_refused, "pyrdwSFTKUC", '\0'},
};

inline constexpr StateChange run_changes[] = {
    {EventKind::run_started, "dq", run_state::running},
    {EventKind::run_queued, "d", run_state::queued},
    {EventKind::run_cancel_requested, "dqr", run_state::cancelling},
    {EventKind::run_reopened, "SFTC", run_state::running},
    {EventKind::run_succeeded, "rc", run_state::succeeded},
    {EventKind::run_failed, "rc", run_state::failed},
    {EventKind::run_timed_out, "rc", run_state::timed_out},
    {EventKind::run_cancelled, "c", run_state::cancelled},
    {EventKind::signal_sent, "dqrpc", '\0'},
    {EventKind::update_sent, "dqrpc", '\0'},
};

/// Whether an event brings its state with it (facts, `state`): those of tasks that code adds, records or begins again.
constexpr bool brings_its_state(EventKind kind)
{
    return kind == EventKind::task_added || kind == EventKind::step_recorded || kind == EventKind::task_reopened;
}

/// From and to which states such an event may lead; 0 is a task that is not there yet.
constexpr bool may_bring(char from, EventKind kind, char to)
{
    switch (kind) {
    case EventKind::task_added: return from == 0 && (to == task_state::pending || to == task_state::ready);
    case EventKind::step_recorded: return (from == 0 || from == task_state::pending) && (to == task_state::succeeded || to == task_state::failed);
    case EventKind::task_reopened: return (counts_as_failed(from)) && (to == task_state::pending || to == task_state::ready);
    default: return false;
    }
}

/// What a new run is by its first event, run_triggered; run_started or run_queued follows at once where its time has come.
inline constexpr char first_run_state = run_state::scheduled;

template <std::size_t N>
constexpr std::optional<char> state_after(const StateChange (&table)[N], char state, EventKind kind)
{
    for (const StateChange &t : table)
        if (t.kind == kind && t.from.find(state) != std::string_view::npos) return t.to ? t.to : state;
    return std::nullopt;
}

/// The state that an event leads to; nothing where it cannot happen in `state`.
constexpr std::optional<char> task_state_after(char state, EventKind kind) { return state_after(task_changes, state, kind); }
constexpr std::optional<char> run_state_after(char state, EventKind kind) { return state_after(run_changes, state, kind); }

/// The same for one event after the other.
template <class... Kinds>
constexpr bool task_goes(char from, char to, Kinds... kinds)
{
    std::optional<char> state = from;
    ((state = state ? task_state_after(*state, kinds) : std::nullopt), ...);
    return state && *state == to;
}
constexpr bool run_goes(char from, char to, EventKind kind) { return run_state_after(from, kind) == to; }

/// A reopened run begins again with what did not succeed, and with all of its finally tasks.
constexpr bool is_reset_by_reopening(char state, bool is_finally) { return is_finally || counts_as_failed(state) || state == task_state::upstream_failed; }

}  // namespace orch::core
