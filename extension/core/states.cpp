#include "core/states.hpp"

#include "core/last_include.hpp"

namespace orch::core {

std::string_view run_state_name(char state)
{
    switch (state) {
    case run_state::queued: return "queued";
    case run_state::scheduled: return "scheduled";
    case run_state::running: return "running";
    case run_state::paused: return "paused";
    case run_state::cancelling: return "cancelling";
    case run_state::succeeded: return "succeeded";
    case run_state::failed: return "failed";
    case run_state::timed_out: return "timed_out";
    case run_state::cancelled: return "cancelled";
    default: return {};
    }
}

std::string_view task_state_name(char state)
{
    switch (state) {
    case task_state::pending: return "pending";
    case task_state::ready: return "ready";
    case task_state::running: return "running";
    case task_state::scheduled: return "scheduled";
    case task_state::waiting: return "waiting";
    case task_state::succeeded: return "succeeded";
    case task_state::failed: return "failed";
    case task_state::timed_out: return "timed_out";
    case task_state::skipped: return "skipped";
    case task_state::upstream_failed: return "upstream_failed";
    case task_state::cancelled: return "cancelled";
    default: return {};
    }
}

char task_state_from(std::string_view name)
{
    for (char state : std::string_view("pyrdwSFTKUC"))
        if (task_state_name(state) == name) return state;
    return 0;
}

std::string_view event_kind_name(int16_t kind)
{
    switch (static_cast<EventKind>(kind)) {
    case EventKind::run_triggered: return "run_triggered";
    case EventKind::run_started: return "run_started";
    case EventKind::run_paused: return "run_paused";
    case EventKind::run_resumed: return "run_resumed";
    case EventKind::run_cancel_requested: return "run_cancel_requested";
    case EventKind::run_reopened: return "run_reopened";
    case EventKind::run_succeeded: return "run_succeeded";
    case EventKind::run_failed: return "run_failed";
    case EventKind::run_timed_out: return "run_timed_out";
    case EventKind::run_cancelled: return "run_cancelled";
    case EventKind::run_queued: return "run_queued";
    case EventKind::task_started: return "task_started";
    case EventKind::task_retry_scheduled: return "task_retry_scheduled";
    case EventKind::task_released: return "task_released";
    case EventKind::task_succeeded: return "task_succeeded";
    case EventKind::task_failed: return "task_failed";
    case EventKind::task_timed_out: return "task_timed_out";
    case EventKind::task_skipped: return "task_skipped";
    case EventKind::task_upstream_failed: return "task_upstream_failed";
    case EventKind::task_cancelled: return "task_cancelled";
    case EventKind::task_waiting: return "task_waiting";
    case EventKind::timer_created: return "timer_created";
    case EventKind::timer_fired: return "timer_fired";
    case EventKind::signal_sent: return "signal_sent";
    case EventKind::signal_received: return "signal_received";
    case EventKind::lease_expired: return "lease_expired";
    case EventKind::settle_refused: return "settle_refused";
    case EventKind::map_expanded: return "map_expanded";
    case EventKind::child_started: return "child_started";
    case EventKind::task_added: return "task_added";
    case EventKind::step_recorded: return "step_recorded";
    case EventKind::task_suspended: return "task_suspended";
    case EventKind::task_woken: return "task_woken";
    case EventKind::task_reopened: return "task_reopened";
    case EventKind::update_sent: return "update_sent";
    case EventKind::child_ended: return "child_ended";
    }
    return {};
}

EventKind task_end_event(char state)
{
    switch (state) {
    case task_state::succeeded: return EventKind::task_succeeded;
    case task_state::timed_out: return EventKind::task_timed_out;
    case task_state::skipped: return EventKind::task_skipped;
    case task_state::upstream_failed: return EventKind::task_upstream_failed;
    case task_state::cancelled: return EventKind::task_cancelled;
    default: return EventKind::task_failed;
    }
}

EventKind run_end_event(char state)
{
    switch (state) {
    case run_state::succeeded: return EventKind::run_succeeded;
    case run_state::timed_out: return EventKind::run_timed_out;
    case run_state::cancelled: return EventKind::run_cancelled;
    default: return EventKind::run_failed;
    }
}

}  // namespace orch::core
