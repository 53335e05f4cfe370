// Changes of task rows that are not on the two hot paths (lease, success): each names the state that it expects, and happens only there.
#pragma once

#include "core/state_changes.hpp"
#include "engine/call.hpp"

namespace orch::engine {

/// The events that a change of a task leaves, in their order; none where a pending task becomes ready.
class EventKinds {
public:
    constexpr EventKinds() = default;
    constexpr EventKinds(EventKind only) { add(only); }
    constexpr EventKinds(EventKind first, EventKind second)
    {
        add(first);
        add(second);
    }

    /// At most four.
    constexpr void add(EventKind kind) { kinds_[count_++] = kind; }

    constexpr int16 count() const { return count_; }
    constexpr EventKind first() const { return kinds_[0]; }
    constexpr EventKind last() const { return kinds_[count_ - 1]; }
    constexpr const EventKind *begin() const { return kinds_; }
    constexpr const EventKind *end() const { return kinds_ + count_; }

private:
    EventKind kinds_[4] = {};
    int16 count_ = 0;
};

struct Transition {
    RunId run;
    int32 task_no;
    char from;
    char to;
    EventKinds events = {};       // what the caller adds for it: `no` grows by their number
    int16 output_event = 0;       // which of them (from 1) brought the output or the last error; 0 = none
    int16 attempts = 0;           // added to attempt: for tasks that the engine runs
    bool unused_attempt = false;  // the attempt does not count against the limit
    bool forget_token = false;    // late settles are to be told `lost`
    std::optional<TimestampTz> ready_at = {}, started_at = {}, finished_at = {}, due_at = {};

    bool applied = false;  // set by apply
    int32 no = 0;          // the row's event counter afterwards
    int16 attempt = 0;     // the row's
    int16 priority = 0;
};

/// Carries them out, unless their events say that the task goes elsewhere, in order of run and task. A row that is locked by somebody or in another state stays as it is: `applied` says which were done.
void apply(Call &call, std::vector<Transition> &transitions);

}  // namespace orch::engine
