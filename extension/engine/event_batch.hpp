// Events on their way into the history: gathered over a call, numbered late, written by one statement a leaf.
#pragma once

#include "core/states.hpp"
#include "engine/leaf.hpp"

#include <utility>

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
    void add(Event event)
    {
        events_.push_back(event);
        if (event.kind >= core::EventKind::run_succeeded && event.kind <= core::EventKind::run_cancelled)
            told_outside_.push_back({event.run, event.task_no, event.no, event.kind, 0});
    }

    /// What somebody outside may want to be told of (notify.hpp): the ends of runs, and dead letters, which are no events of their own.
    struct ToldOutside {
        RunId run;
        int32 task_no;
        int32 no;
        core::EventKind kind;
        int64 dead_letter;  // its id; 0 = the event is it
    };
    void add_dead_letter(const RunId &run, int32 task_no, int64 id) { told_outside_.push_back({run, task_no, 0, core::EventKind::task_failed, id}); }
    std::vector<ToldOutside> take_told_outside() { return std::exchange(told_outside_, {}); }

    bool empty() const { return events_.empty(); }

    /// Takes positions in the feed and writes everything. As late in the transaction as can be: from here on the feed waits for our commit.
    void write();

private:
    TimestampTz at_;
    std::vector<Event> events_;
    std::vector<ToldOutside> told_outside_;
};

}  // namespace orch::engine
