#include "engine/event_batch.hpp"

#include "pg/column.hpp"
#include "shared/feed.hpp"
#include "shared/meters.hpp"

namespace orch::engine {

void EventBatch::write()
{
#define ORCH_INSERT_EVENTS(column, parameter)                                                                                \
    "insert into _orch.event_{} (run_id, at, pos, task_no, no, kind, attempt, actor, payload" column ")"                     \
    " select u.run_id, $1, u.pos, u.task_no, u.no, u.kind, nullif(u.attempt, 0), u.actor, u.payload" column                  \
    " from unnest($2::uuid[], $3::int8[], $4::int4[], $5::int4[], $6::int2[], $7::int2[], $8::text[], $9::jsonb[]" parameter \
    ") u(run_id, pos, task_no, no, kind, attempt, actor, payload" column ")"
    static pg::Statement insert(ORCH_INSERT_EVENTS("", ""), {TIMESTAMPTZOID, UUIDARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, INT2ARRAYOID,
                                                             TEXTARRAYOID, JSONBARRAYOID});
    static pg::Statement insert_with_facts(
        ORCH_INSERT_EVENTS(", facts", ", $10::jsonb[]"),
        {TIMESTAMPTZOID, UUIDARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, INT2ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, JSONBARRAYOID});
#undef ORCH_INSERT_EVENTS
    if (events_.empty()) return;

    for (const Event &e : events_) shared::on_commit_count_events(static_cast<int16>(e.kind), 1);
    // Stretches of one day; an event is added after what it records, so within a task the order is already causal.
    std::stable_sort(events_.begin(), events_.end(), [](const Event &a, const Event &b) { return day_of(a.run) < day_of(b.run); });
    int64 pos = shared::take_positions(static_cast<int>(events_.size()));
    by_day(
        events_, [](const Event &e) { return day_of(e.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), position(INT8OID), task_no(INT4OID), no(INT4OID), kind(INT2OID), attempt(INT2OID), actor(TEXTOID), payload(JSONBOID),
                facts(JSONBOID);
            for (pg::Column *column : {&run, &position, &task_no, &no, &kind, &attempt, &actor, &payload, &facts}) column->reserve(last - first);
            bool any_facts = false;  // few have any, and the others do not pay for them
            for (size_t i = first; i < last; i++) {
                const Event &e = events_[i];
                run.add(e.run);
                position.add(Int64GetDatum(pos++));
                task_no.add(Int32GetDatum(e.task_no));
                no.add(Int32GetDatum(e.no));
                kind.add(Int16GetDatum(static_cast<int16>(e.kind)));
                attempt.add(Int16GetDatum(e.attempt));
                actor.add(e.actor);
                payload.add(e.payload);
                facts.add(e.facts);
                any_facts |= e.facts.has_value();
            }
            pg::Parameters<10> parameters;
            parameters.add(TimestampTzGetDatum(at_))
                .add(run.array())
                .add(position.array())
                .add(task_no.array())
                .add(no.array())
                .add(kind.array())
                .add(attempt.array())
                .add(actor.array())
                .add(payload.array());
            if (any_facts) insert_with_facts.run_on(day, parameters.add(facts.array()));
            else insert.run_on(day, parameters);
        });
    events_.clear();
}

}  // namespace orch::engine
