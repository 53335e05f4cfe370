#include "engine/signal.hpp"

#include "core/problem.hpp"
#include "core/state_changes.hpp"
#include "engine/run_row.hpp"
#include "engine/settle.hpp"
#include "engine/waits.hpp"

namespace orch::engine {

namespace {

constexpr size_t longest_signal_name = 1000;

void check_signal(const std::string &name, const std::optional<Datum> &payload)
{
    if (name.empty() || name.size() > longest_signal_name)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the name of a signal has " + std::to_string(name.size()) + " bytes, not 1 to 1000", {}, {}};
    refuse_large("the payload", payload);
}

Datum sent_details(const std::string &name, const std::optional<Datum> &payload)
{
    return pg::jsonb_datum(R"({"signal":)" + core::to_text(std::string_view(name)) + R"(,"payload":)" + (payload ? pg::json_text_of(*payload) : "null") + "}");
}

struct SignalWait {
    int32 task_no;
    std::string name;
};

// By task number, those of that name, or all.
std::vector<SignalWait> waiting_tasks(const RunId &run, const std::optional<std::string> &name)
{
    static pg::Statement select("select t.task_no, e.payload ->> 'signal' from _orch.task_{} t cross join lateral ("
                                " select i.payload from _orch.event_{} i where i.run_id = t.run_id and i.task_no = t.task_no and i.kind = 29"
                                " order by i.no desc limit 1) e"
                                " where t.run_id = $1 and t.state = 'w' and e.payload ? 'signal' and ($2 is null or e.payload ->> 'signal' = $2)"
                                " order by t.task_no",
                                {UUIDOID, TEXTOID});
    Parameters<2> parameters;
    parameters.add(pg::uuid_datum(run)).add(name ? std::optional(pg::text_datum(*name)) : std::nullopt);
    const pg::Rows rows = select.run_on(day_of(run), parameters);
    std::vector<SignalWait> waits;
    for (uint64 i = 0; i < rows.count(); i++) waits.push_back({rows.int4(i, 1), rows.text(i, 2)});
    return waits;
}

bool give(Call &call, const Attempt &waiter, const std::string &name, int32 no, std::optional<Datum> payload, bool deferred)
{
    const TaskRef task{waiter.run, waiter.task_no};
    take_signal(task, no);
    const Datum details = pg::jsonb_datum(core::to_text(core::Json{{"signal", name}, {"signal_no", no}}));
    end_waits(call,
              {{.task = task,
                .version = &version_of(waiter.version_id),
                .output = payload ? *payload : pg::jsonb_datum("null"),
                .by = EventKind::signal_received,
                .by_payload = details}},
              deferred);
    return true;
}

int32 add_signal(Call &call, const RunId &run, const std::string &name, Datum details, Datum actor)
{
    static pg::Statement count("update _orch.run_{} set no = no + 1 where run_id = $1 returning no", {UUIDOID});
    static pg::Statement insert("insert into _orch.signal_{} (run_id, no, name) values ($1, $2, $3)", {UUIDOID, INT4OID, TEXTOID});
    const int32 no = count.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run))).int4(0, 1);
    insert.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(Int32GetDatum(no)).add(pg::text_datum(name)));
    call.events().add({run, run_itself, no, EventKind::signal_sent, 0, actor, details});
    return no;
}

struct KeyedRun {
    RunId run;
    bool over;
};

// The run that a key stands for, its row locked.
std::optional<KeyedRun> run_of_key(Call &call, int32 workflow_id, const std::string &key)
{
    static pg::Statement select("select run_id from _orch.idempotency where workflow_id = $1 and key = $2", {INT4OID, TEXTOID});
    const pg::Rows rows = select.run(Parameters<2>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)));
    if (rows.empty()) return std::nullopt;
    const RunId run = pg::uuid_of(rows.get(0, 1));
    if (!leaf_exists(day_of(run))) return KeyedRun{run, true};
    return KeyedRun{run, core::is_final(lock_run_row(call, run).state)};
}

// A run that is over gives its key to the next one.
void free_key(int32 workflow_id, const std::string &key, const RunId &run)
{
    static pg::Statement remove("delete from _orch.idempotency where workflow_id = $1 and key = $2 and run_id = $3", {INT4OID, TEXTOID, UUIDOID});
    remove.run(Parameters<3>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)).add(pg::uuid_datum(run)));
}

}  // namespace

std::optional<WaitingSignal> oldest_signal(const RunId &run, const std::string &name)
{
    static pg::Statement select("select s.no, e.payload -> 'payload' from _orch.signal_{} s"
                                " join _orch.event_{} e on e.run_id = s.run_id and e.task_no = -1 and e.no = s.no"
                                " where s.run_id = $1 and s.name = $2 and s.taken_by is null order by s.no limit 1",
                                {UUIDOID, TEXTOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(name)));
    if (rows.empty()) return std::nullopt;
    return WaitingSignal{rows.int4(0, 1), rows.maybe(0, 2)};
}

void take_signal(const TaskRef &task, int32 no)
{
    static pg::Statement update("update _orch.signal_{} set taken_by = $3 where run_id = $1 and no = $2", {UUIDOID, INT4OID, INT4OID});
    update.run_on(day_of(task.run), Parameters<3>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(no)).add(Int32GetDatum(task.task_no)));
}

void send_signal(Call &call, const RunId &run, const std::string &name, std::optional<Datum> payload, bool deferred)
{
    check_signal(name, payload);
    require_open();
    const RunRow row = lock_run_row(call, run);
    if (core::is_final(row.state))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " is over", "It " + std::string(core::run_state_name(row.state)) + ".", {}};
    ForceSyncCommit();
    const int32 no = add_signal(call, run, name, sent_details(name, payload), call.role_actor());
    for (const SignalWait &wait : waiting_tasks(run, name))
        if (const std::optional<Attempt> waiter = lock_waiting({run, wait.task_no}, true)) {
            give(call, *waiter, name, no, payload, deferred);
            return;
        }
    // An older snapshot may not show a task that waits by now.
    if (IsolationUsesXactSnapshot()) shared::on_commit_advance({run, run_itself});
}

RunId signal_with_start(Call &call, const std::string &workflow, const std::string &name, std::optional<Datum> payload, Datum input,
                        const std::optional<std::string> &key, const TriggerOptions &options, bool deferred)
{
    check_signal(name, payload);
    require_not_held();
    const int32 workflow_id = current_version(call.tenant(), workflow, options.version).version->workflow_id;
    for (;;) {
        if (key) {
            const std::optional<KeyedRun> known = run_of_key(call, workflow_id, *key);
            if (known && !known->over) {
                send_signal(call, known->run, name, payload, deferred);
                return known->run;
            }
            if (known) free_key(workflow_id, *key, known->run);
        }
        try {
            const Triggered triggered = trigger(call, workflow, {&input, 1}, {&key, 1}, options).front();
            send_signal(call, triggered.run, name, payload, deferred);
            return triggered.run;
        } catch (const pg::error &e) {
            // Somebody else took the key meanwhile, for a run with another input or one that is over again.
            if (!key || IsolationUsesXactSnapshot() || (e.code != pg::idempotency_conflict && e.code != pg::wrong_state)) throw;
            pg::call_pg([] { CHECK_FOR_INTERRUPTS(); });
        }
    }
}

bool deliver_signals(Call &call, const RunId &run, bool deferred)
{
    bool any = false;
    for (const SignalWait &wait : waiting_tasks(run, std::nullopt)) {
        const std::optional<WaitingSignal> sent = oldest_signal(run, wait.name);
        if (!sent) continue;
        // Somebody ends it at this moment, or the next look finds it.
        const std::optional<Attempt> waiter = lock_waiting({run, wait.task_no}, false);
        if (waiter) any |= give(call, *waiter, wait.name, sent->no, sent->payload, deferred);
    }
    return any;
}

void move_signals(Call &call, const RunId &from, const RunId &to)
{
    static pg::Statement select("select s.no, s.name, e.payload, e.actor from _orch.signal_{} s"
                                " join _orch.event_{} e on e.run_id = s.run_id and e.task_no = -1 and e.no = s.no"
                                " where s.run_id = $1 and s.taken_by is null order by s.no",
                                {UUIDOID});
    static pg::Statement remove("delete from _orch.signal_{} where run_id = $1 and taken_by is null", {UUIDOID});
    const Parameters<1> id = Parameters<1>().add(pg::uuid_datum(from));
    const pg::Rows rows = select.run_on(day_of(from), id);
    if (rows.empty()) return;
    remove.run_on(day_of(from), id);
    for (uint64 i = 0; i < rows.count(); i++) add_signal(call, to, rows.text(i, 2), rows.get(i, 3), rows.maybe(i, 4).value_or(call.engine_actor()));
}

}  // namespace orch::engine
