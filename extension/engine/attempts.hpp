// The end of an attempt that did not succeed: another one after a delay, or the task's end with a dead letter.
#pragma once

#include "core/retry_policy.hpp"
#include "engine/call.hpp"

namespace orch::engine {

/// A running attempt whose row this transaction has locked.
struct Attempt {
    RunId run;
    int32 task_no;
    int32 version_id;
    int32 no;  // the row's event counter now
    int32 worker_id;
    int16 attempt;
    int16 attempts_before;
    TimestampTz started_at;
};

enum class HowEnded : uint8_t { failed, timed_out, lease_expired, skipped };

struct EndedAttempt {
    Attempt attempt;
    HowEnded how;
    Datum error;                     // jsonb {class, code, message, ...}; of one that was skipped, {reason}
    std::optional<bool> retry = {};  // the worker's own word
    bool stopped = false;            // it had been told to stop: no further attempt
    bool forget_token = false;       // a late settle is `lost`
    std::optional<Datum> actor = {};
    std::optional<Datum> facts = {};  // for the attempt's last event
    char from = core::task_state::running;
    std::optional<EventKind> first = {};  // told before the end; a lease that expired tells that
    std::optional<Datum> first_payload = {};
};

/// Ends them all. Rows are locked by the caller, who takes their leases away afterwards.
void end_attempts(Call &call, std::span<const EndedAttempt> ended);

/// Whether a run is on its way to its end: no further attempt starts there.
bool run_is_ending(const RunId &run);

/// Microseconds before the attempt that comes after the `counted`th, nothing where there is none.
std::optional<int64> retry_delay(const core::RetryPolicy &policy, const core::TaskError &error, int counted, std::optional<bool> asked = {});

/// What task_retry_scheduled tells, as JSON text; `error` is one as well.
std::string retry_details(const std::string &error, int64 delay_us, TimestampTz due);

/// An error object as the engine makes it.
Datum error_json(std::string_view error_class, std::string_view code, std::string_view message);

/// A row of _orch.dead_letter for a task that has ended by itself in this transaction.
void write_dead_letter(Call &call, const RunId &run, const Version &version, int32 task_no, int16 attempt, char state, Datum error);

}  // namespace orch::engine
