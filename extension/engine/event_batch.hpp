// Events on their way into the history: gathered over a call, numbered late, written by one statement a leaf.
#pragma once

#include "core/states.hpp"
#include "engine/leaf.hpp"

namespace orch::engine {

inline constexpr int32 run_itself = -1;  // the task number of a run's own events

class EventBatch {
public:
    explicit EventBatch(TimestampTz at) : at_(at) {}

    struct Event {
        RunId run;
        int32 task_no;
        int32 no;
        core::EventKind kind;
        int16 attempt = 0;                  // 0 = none
        std::optional<Datum> actor = {};    // text
        std::optional<Datum> payload = {};  // jsonb
        std::optional<Datum> facts = {};    // jsonb object: what else is known, shown beside what the payload brings
    };
    void add(Event event) { events_.push_back(event); }

    bool empty() const { return events_.empty(); }

    /// Takes positions in the feed and writes everything. As late in the transaction as can be: from here on the feed waits for our commit.
    void write();

private:
    TimestampTz at_;
    std::vector<Event> events_;
};

}  // namespace orch::engine
