#include "engine/event_batch.hpp"

#include "engine/columns.hpp"
#include "shared/feed.hpp"
#include "shared/meters.hpp"

namespace orch::engine {

void EventBatch::write()
{
    if (events_.empty()) return;

    for (const Event &e : events_) shared::on_commit_count_events(static_cast<int16>(e.kind), 1);
    // Stretches of one day; an event is added after what it records, so within a task the order is already causal.
    std::stable_sort(events_.begin(), events_.end(), [](const Event &a, const Event &b) { return day_of(a.run) < day_of(b.run); });
    int64 pos = shared::take_positions(static_cast<int>(events_.size()));
    by_day(
        events_, [](const Event &e) { return day_of(e.run); },
        [&](int day, size_t first, size_t last) {
            pg::NewRows rows = new_events(day, last - first);
            for (size_t i = first; i < last; i++) {
                const Event &e = events_[i];
                pg::NewRow row = rows.next();
                row.set(event_column::run_id, e.run)
                    .set(event_column::at, TimestampTzGetDatum(at_))
                    .set(event_column::pos, Int64GetDatum(pos++))
                    .set(event_column::task_no, Int32GetDatum(e.task_no))
                    .set(event_column::no, Int32GetDatum(e.no))
                    .set(event_column::kind, Int16GetDatum(static_cast<int16>(e.kind)))
                    .set(event_column::actor, e.actor)
                    .set(event_column::payload, e.payload)
                    .set(event_column::facts, e.facts);
                if (e.attempt != 0) row.set(event_column::attempt, Int16GetDatum(e.attempt));
            }
            rows.finish();
        });
    events_.clear();
}

}  // namespace orch::engine
