#include "engine/transitions.hpp"

namespace orch::engine {

namespace {

// What a row says and what its history says may never part.
void require_told_by_events(const Transition &t)
{
    std::optional<char> state = t.from;
    for (EventKind kind : t.events) state = state ? core::task_state_after(*state, kind) : std::nullopt;
    const bool needs_none = t.from == core::task_state::pending && t.to == core::task_state::ready && t.events.count() == 0;
    if (needs_none || (t.events.count() > 0 && state == t.to)) return;
    throw pg::error{ERRCODE_INTERNAL_ERROR,
                    "a task would go from " + std::string(core::task_state_name(t.from)) + " to " + std::string(core::task_state_name(t.to)) +
                        ", which its events do not say",
                    "Task " + std::to_string(t.task_no) + " of run " + core::uuid_to_text(t.run) + ".",
                    {}};
}

}  // namespace

void apply(Call &, std::vector<Transition> &transitions)
{
    static pg::Statement update(
        "with u as materialized ("
        " select * from unnest($1::uuid[], $2::int4[], $3::\"char\"[], $4::\"char\"[], $5::int2[], $6::int2[], $7::int2[], $8::bool[], $9::bool[],"
        "  $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])"
        "  u(run_id, task_no, from_state, to_state, events, output_event, attempts, unused, forget, ready_at, started_at, finished_at, due_at)),"
        " l as materialized ("
        " select u.* from u join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no where t.state = u.from_state for update of t skip locked)"
        " update _orch.task_{} t set"
        "  state = l.to_state,"
        "  no = t.no + l.events,"
        "  output_no = case when l.output_event > 0 then t.no + l.output_event else t.output_no end,"
        "  attempt = t.attempt + l.attempts,"
        "  attempts_before = t.attempts_before + l.unused::int4,"
        "  token = case when l.forget then null else t.token end,"
        "  ready_at = coalesce(l.ready_at, t.ready_at),"
        "  started_at = coalesce(l.started_at, t.started_at),"
        "  finished_at = l.finished_at,"
        "  due_at = l.due_at"
        " from l where t.run_id = l.run_id and t.task_no = l.task_no"
        " returning t.run_id, t.task_no, t.no, t.attempt, t.priority",
        {UUIDARRAYOID, INT4ARRAYOID, CHARARRAYOID, CHARARRAYOID, INT2ARRAYOID, INT2ARRAYOID, INT2ARRAYOID, BOOLARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID,
         TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID});

    for (const Transition &t : transitions) require_told_by_events(t);
    std::sort(transitions.begin(), transitions.end(),
              [](const Transition &a, const Transition &b) { return std::tie(a.run, a.task_no) < std::tie(b.run, b.task_no); });
    by_day(
        transitions, [](const Transition &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID), from(CHAROID), to(CHAROID), events(INT2OID), output(INT2OID), attempts(INT2OID), unused(BOOLOID),
                forget(BOOLOID), ready(TIMESTAMPTZOID), started(TIMESTAMPTZOID), finished(TIMESTAMPTZOID), due(TIMESTAMPTZOID);
            auto add_time = [](pg::Column &column, const std::optional<TimestampTz> &at) { at ? column.add(time_datum(*at)) : column.add_null(); };
            for (size_t i = first; i < last; i++) {
                const Transition &t = transitions[i];
                run.add(t.run);
                task_no.add(Int32GetDatum(t.task_no));
                from.add(CharGetDatum(t.from));
                to.add(CharGetDatum(t.to));
                events.add(Int16GetDatum(t.events.count()));
                output.add(Int16GetDatum(t.output_event));
                attempts.add(Int16GetDatum(t.attempts));
                unused.add(BoolGetDatum(t.unused_attempt));
                forget.add(BoolGetDatum(t.forget_token));
                add_time(ready, t.ready_at);
                add_time(started, t.started_at);
                add_time(finished, t.finished_at);
                add_time(due, t.due_at);
            }
            Parameters<13> parameters;
            for (pg::Column *column : {&run, &task_no, &from, &to, &events, &output, &attempts, &unused, &forget, &ready, &started, &finished, &due})
                parameters.add(column->array());
            pg::Rows rows = update.run_on(day, parameters);
            for (uint64 i = 0; i < rows.count(); i++) {
                const RunId id = pg::uuid_of(rows.get(i, 1));
                const int32 no = rows.int4(i, 2);
                auto found =
                    std::lower_bound(transitions.begin() + first, transitions.begin() + last, std::tie(id, no),
                                     [](const Transition &t, const std::tuple<const RunId &, const int32 &> &key) { return std::tie(t.run, t.task_no) < key; });
                found->applied = true;
                found->no = rows.int4(i, 3);
                found->attempt = rows.int2(i, 4);
                found->priority = rows.int2(i, 5);
                shared::on_commit_task_state(found->from, found->to);
            }
        });
}

}  // namespace orch::engine
