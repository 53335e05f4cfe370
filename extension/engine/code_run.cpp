#include "engine/code_run.hpp"

#include "core/state_changes.hpp"
#include "engine/child.hpp"
#include "engine/pauses.hpp"
#include "engine/progress.hpp"
#include "engine/run_row.hpp"
#include "engine/signal.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/trigger.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;

enum class Taking : uint8_t { nothing, main, main_keeping_run, main_changing_run };

// The row of a lease with its run's. A cancel waits for who keeps the run: it would tell a lease that is about to be no more. Nothing, and why, where the lease does not hold it.
std::optional<CodeMain> find_main(const Call &call, const std::optional<core::Lease> &lease, Taking taking, bool may_be_suspended, SettleStatus &why)
{
#define ORCH_SELECT_MAIN(how)                                                                                                              \
    "select t.state, t.attempt, coalesce(t.token, 0), t.version_id, t.no, t.priority, t.flags, t.token is null, coalesce(t.worker_id, 0)," \
    " r.state <> 'r' or r.outcome is not null from _orch.run_{} r join _orch.task_{} t on t.run_id = r.run_id and t.task_no = 0 where r.run_id = $1" how
    static pg::Statement looking(ORCH_SELECT_MAIN(""), {UUIDOID});
    static pg::Statement locking(ORCH_SELECT_MAIN(" for update of t"), {UUIDOID});
    static pg::Statement keeping(ORCH_SELECT_MAIN(" for share of r for update of t"), {UUIDOID});
    static pg::Statement changing(ORCH_SELECT_MAIN(" for update of r for update of t"), {UUIDOID});
#undef ORCH_SELECT_MAIN
    why = SettleStatus::lost;
    require_open();
    if (!lease || !leaf_exists(day_of(lease->run_id))) return std::nullopt;
    const RunId run = lease->run_id;
    pg::Statement &select = taking == Taking::nothing ? looking : taking == Taking::main ? locking : taking == Taking::main_keeping_run ? keeping : changing;
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return std::nullopt;
    const Version &version = version_of(rows.int4(0, 4));
    if (version.tenant != call.tenant()) return std::nullopt;
    if (lease->task_no != main_task || !version.is_code()) {
        why = SettleStatus::invalid;
        return std::nullopt;
    }
    const char state = rows.letter(0, 1);
    const int16 attempt = rows.int2(0, 2);
    const bool same = !rows.boolean(0, 8) && rows.int8(0, 3) == static_cast<int64>(lease->token);
    CodeMain main{
        run,  &version, static_cast<int64>(lease->token), rows.int4(0, 5), attempt, rows.int2(0, 6), rows.letter(0, 7), rows.int4(0, 9), rows.boolean(0, 10),
        false};
    if (same && state == running && attempt == lease->attempt) return main;
    if (may_be_suspended && same && (state == waiting || state == ready) && attempt == lease->attempt - 1) {
        main.suspended = true;
        return main;
    }
    if (same && state == cancelled) why = SettleStatus::cancelled;
    else if (same && core::is_final(state)) why = SettleStatus::conflict;
    return std::nullopt;
}

CodeMain require_main(const Call &call, const std::string &text, Taking taking, bool may_be_suspended = false)
{
    SettleStatus why;
    const auto lease = core::decode_lease(text);
    if (auto main = find_main(call, lease, taking, may_be_suspended, why)) return *main;
    if (why == SettleStatus::invalid)
        throw pg::error{pg::wrong_state, "the lease is not that of a workflow in code", {}, "Settle other tasks with orch.complete or orch.fail."};
    Settlement refused;
    refused.lease_text = text;
    refused.lease = lease;
    refused.status = why;
    refused.foreign = lease && is_foreign_lease(call, nullptr, *lease);
    raise_refusal(refused);
}

Taking taking_for(std::optional<Datum> steps, bool suspends)
{
    if (steps && wants_run_row(*steps)) return Taking::main_changing_run;
    return suspends ? Taking::main_keeping_run : Taking::main;
}

// What main waits for, as it says it.
struct Waits {
    bool all = false;
    std::vector<std::string> ids;
};

Waits waits_of(Datum waits)
{
    if (!pg::is_object(waits)) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "waits must be a JSON object", {}, "Write {\"any\": [\"step#1\"]}."};
    const std::optional<Datum> any = pg::member(waits, "any"), all = pg::member(waits, "all");
    if (any.has_value() == all.has_value())
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "waits must have one of \"any\" and \"all\"", {}, "Write {\"any\": [\"step#1\"]}."};
    const auto elements = pg::elements(any ? *any : *all);
    if (!elements || elements->empty())
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "what is waited for must be an array of ids that is not empty", {}, {}};
    Waits result{all.has_value(), {}};
    for (Datum element : *elements) {
        auto parsed = core::parse(pg::json_text_of(element));
        const auto *id = std::get_if<core::Json>(&parsed);
        if (!id || !id->is_string()) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "what is waited for must be an array of ids", {}, {}};
        result.ids.push_back(id->get<std::string>());
    }
    return result;
}

// The numbers of ids, which are the newest ones as a rule.
std::vector<int32> numbers_of(const RunId &run, const std::vector<std::string> &ids, const Journal &journal)
{
    static pg::Statement select("select t.task_no, t.item ->> 'id' from _orch.task_{} t where t.run_id = $1 and t.task_no > 0 and t.item ->> 'id' = any($2)"
                                " order by t.task_no desc limit $3",
                                {UUIDOID, TEXTARRAYOID, INT8OID});
    std::map<std::string, int32> known(journal.newest);
    std::vector<std::string> old;
    for (const std::string &id : ids)
        if (!known.contains(id)) old.push_back(id);
    if (!old.empty()) {
        std::sort(old.begin(), old.end());
        old.erase(std::unique(old.begin(), old.end()), old.end());
        pg::Column column(TEXTOID);
        for (const std::string &id : old) column.add(pg::text_datum(id));
        const pg::Rows rows =
            select.run_on(day_of(run), Parameters<3>().add(pg::uuid_datum(run)).add(column.array()).add(Int64GetDatum(static_cast<int64>(old.size()))));
        for (uint64 i = 0; i < rows.count(); i++) known.emplace(rows.text(i, 2), rows.int4(i, 1));
    }
    std::vector<int32> numbers;
    for (const std::string &id : ids) {
        const auto found = known.find(id);
        if (found == known.end())
            throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                            "nothing of the id " + core::in_quotes(id) + " was started in this run",
                            {},
                            "Record it first, or in the same call."};
        numbers.push_back(found->second);
    }
    return numbers;
}

// Subqueries and no joins, here and below: planned while the leaf was new, a join might read all rows of the run for each number.
bool holds_now(const RunId &run, bool all, const std::vector<int32> &numbers)
{
    static pg::Statement any_over(
        "select 1 from unnest($2::int4[]) n(no)"
        " where (select s.state from _orch.task_{} s where s.run_id = $1 and s.task_no = n.no) in ('S', 'F', 'T', 'K', 'U', 'C') limit 1",
        {UUIDOID, INT4ARRAYOID});
    static pg::Statement any_open(
        "select 1 from unnest($2::int4[]) n(no)"
        " where (select s.state from _orch.task_{} s where s.run_id = $1 and s.task_no = n.no) not in ('S', 'F', 'T', 'K', 'U', 'C') limit 1",
        {UUIDOID, INT4ARRAYOID});
    pg::Column column(INT4OID);
    for (int32 no : numbers) column.add(Int32GetDatum(no));
    const auto parameters = Parameters<2>().add(pg::uuid_datum(run)).add(column.array());
    return all ? any_open.run_on(day_of(run), parameters).empty() : !any_over.run_on(day_of(run), parameters).empty();
}

// The lease ends here: main waits, and the number of its attempt is given back.
void set_waiting(Call &call, const CodeMain &main, Datum item, Datum told)
{
    static_assert(core::task_goes(running, waiting, EventKind::task_suspended));
    static pg::Statement update(
        "update _orch.task_{} set state = 'w', no = no + 1, attempt = attempt - 1, attempts_before = attempt - 1, item = $2, due_at = null"
        " where run_id = $1 and task_no = 0",
        {UUIDOID, JSONBOID});
    ForceSyncCommit();
    update.run_on(day_of(main.run), Parameters<2>().add(pg::uuid_datum(main.run)).add(item));
    call.events().add({main.run, main_task, main.no + 1, EventKind::task_suspended, main.attempt, call.role_actor(), told});
    shared::on_commit_task_state(running, waiting);
    shared::on_commit_unlease({main.run, main_task}, main.token);
    if (main.ending) shared::on_commit_advance({main.run, run_itself});
}

// main of runs whose rows are locked by this statement, where `item` says so.
void set_ready(Call &call, const pg::Rows &woken)
{
    for (uint64 i = 0; i < woken.count(); i++) {
        const RunId run = pg::uuid_of(woken.get(i, 1));
        call.events().add({run, main_task, woken.int4(i, 2), EventKind::task_woken, 0, call.engine_actor()});
        shared::on_commit_task_state(waiting, ready);
        queue_ready(version_of(woken.int4(i, 4)), {run, main_task}, call.now(), woken.int2(i, 3));
    }
}

}  // namespace

CodeMain look_at_main(Call &call, const std::string &lease) { return require_main(call, lease, Taking::nothing); }

void record_steps(Call &call, const std::string &lease, Datum steps)
{
    const CodeMain main = require_main(call, lease, taking_for(steps, false));
    write_entries(call, main, read_entries(main, steps));
}

namespace {

// What this very call gives to workers, it alone knows of: nobody can have ended it.
bool all_begin_here(const CodeMain &main, const std::vector<int32> &numbers, const Journal &journal)
{
    if (main.ending) return false;
    std::vector<int32> begun;
    for (const JournalEntry &e : journal.added)
        if (!e.planned.handler.empty()) begun.push_back(e.no);
    std::sort(begun.begin(), begun.end());
    return std::all_of(numbers.begin(), numbers.end(), [&](int32 no) { return std::binary_search(begun.begin(), begun.end(), no); });
}

// What can be refused is refused before anything is written: a batch goes on with its other results.
bool suspend_main(Call &call, const CodeMain &main, Datum waits)
{
    const Waits wanted = waits_of(waits);
    Journal journal;
    if (const auto steps = pg::member(waits, "steps")) journal = read_entries(main, *steps);
    std::vector<int32> numbers = numbers_of(main.run, wanted.ids, journal);
    write_entries(call, main, journal);
    if (!all_begin_here(main, numbers, journal) && holds_now(main.run, wanted.all, numbers)) return false;
    // The newest first: as a rule they end last, so that a look finds an open one at once.
    std::sort(numbers.begin(), numbers.end(), std::greater<>());
    const char *word = wanted.all ? "all" : "any";
    set_waiting(call, main, pg::jsonb_datum(core::to_text(core::Json{{word, numbers}})), pg::jsonb_datum(core::to_text(core::Json{{word, wanted.ids}})));
    return true;
}

}  // namespace

bool suspend(Call &call, const std::string &lease, Datum waits)
{
    const CodeMain main = require_main(call, lease, taking_for(pg::member(waits, "steps"), true), true);
    return main.suspended || suspend_main(call, main, waits);
}

void settle_code(Call &call, const WorkerIdentity *worker, Settlement &s, bool deferred)
{
    s.over = true;
    SettleStatus why;
    const std::optional<CodeMain> main =
        find_main(call, s.lease, taking_for(s.suspend ? pg::member(*s.suspend, "steps") : s.steps, s.suspend.has_value()), s.suspend.has_value(), why);
    // Perhaps it is settled already, by this very result.
    if (!main && !s.suspend) {
        s.over = false;
        return;
    }
    s.status = !main ? why : worker && main->worker_id != worker->worker_id ? SettleStatus::not_yours : SettleStatus::ok;
    if (s.status != SettleStatus::ok || main->suspended) return;
    try {
        if (s.suspend && deferred) s.status = SettleStatus::invalid;
        else if (s.suspend) s.status = suspend_main(call, *main, *s.suspend) ? SettleStatus::ok : SettleStatus::go_on;
        else write_entries(call, *main, read_entries(*main, *s.steps));
    } catch (const pg::error &e) {
        s.status = e.code == pg::already_settled ? SettleStatus::conflict : e.code == pg::result_too_large ? SettleStatus::too_large : SettleStatus::invalid;
    }
    // The result that came with the steps is settled like any.
    if (!s.suspend && s.status == SettleStatus::ok) s.over = false;
}

void park(Call &call, const std::string &lease, Datum error)
{
    static pg::Statement insert("insert into _orch.parked_run (run_id, workflow_id) values ($1, $2) on conflict (run_id) do nothing", {UUIDOID, INT4OID});
    const CodeMain main = require_main(call, lease, Taking::main_keeping_run, true);
    if (main.suspended) return;
    const Datum item = pg::jsonb_datum(R"({"parked":)" + pg::json_text_of(error) + "}");
    insert.run(Parameters<2>().add(pg::uuid_datum(main.run)).add(Int32GetDatum(main.version->workflow_id)));
    set_waiting(call, main, item, item);
}

namespace {

int wake_some_parked(Call &call, const std::vector<RunId> &runs)
{
    static pg::Statement update(
        "update _orch.task_{} t set state = 'y', no = t.no + 1, ready_at = $2, item = null"
        " where t.run_id = any($1) and t.task_no = 0 and t.state = 'w' and t.item ? 'parked' returning t.run_id, t.no, t.priority, t.version_id",
        {UUIDARRAYOID, TIMESTAMPTZOID});
    static pg::Statement remove("delete from _orch.parked_run where run_id = any($1)", {UUIDARRAYOID});
    int woken = 0;
    by_day(
        runs, [](const RunId &r) { return day_of(r); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID);
            for (size_t i = first; i < last; i++) run.add(runs[i]);
            const Datum ids = run.array();
            if (leaf_exists(day)) {
                const pg::Rows rows = update.run_on(day, Parameters<2>().add(ids).add(time_datum(call.now())));
                set_ready(call, rows);
                woken += static_cast<int>(rows.count());
            }
            remove.run(Parameters<1>().add(ids));
        });
    return woken;
}

}  // namespace

void unpark(Call &call, const RunId &run)
{
    const RunRow row = lock_run_row(call, run);
    require_open();
    if (core::is_final(row.state) || wake_some_parked(call, {run}) == 0)
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " is not parked", {}, "See orch.why for what it waits for."};
}

int wake_parked(Call &call, int32 workflow_id)
{
    static pg::Statement select("select p.run_id from _orch.parked_run p where p.workflow_id = $1 order by p.run_id for update skip locked", {INT4OID});
    const pg::Rows rows = select.run(Parameters<1>().add(Int32GetDatum(workflow_id)));
    std::vector<RunId> runs;
    for (uint64 i = 0; i < rows.count(); i++) runs.push_back(pg::uuid_of(rows.get(i, 1)));
    return runs.empty() ? 0 : wake_some_parked(call, runs);
}

RunId continue_as_new(Call &call, const std::string &lease, Datum input)
{
    static pg::Statement select("select r.priority, r.tags, r.timeout_us, r.traceparent from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    static pg::Statement before("select (e.payload ->> 'continued_as')::uuid, t.version_id from _orch.task_{} t join _orch.event_{} e on e.run_id = t.run_id "
                                "and e.task_no = 0 and e.no = t.output_no"
                                " where t.run_id = $1 and t.task_no = 0 and t.state = 'S' and t.attempt = $2 and t.token = $3",
                                {UUIDOID, INT2OID, INT8OID});
    const auto key = core::decode_lease(lease);
    if (key && key->task_no == main_task && leaf_exists(day_of(key->run_id))) {
        // The repeated call after a lost answer.
        const pg::Rows rows = before.run_on(day_of(key->run_id), Parameters<3>()
                                                                     .add(pg::uuid_datum(key->run_id))
                                                                     .add(Int16GetDatum(static_cast<int16>(key->attempt)))
                                                                     .add(Int64GetDatum(static_cast<int64>(key->token))));
        if (!rows.empty() && !rows.is_null(0, 1) && version_of(rows.int4(0, 2)).tenant == call.tenant()) return pg::uuid_of(rows.get(0, 1));
    }
    const CodeMain main = require_main(call, lease, Taking::main_changing_run);
    const pg::Rows rows = select.run_on(day_of(main.run), Parameters<1>().add(pg::uuid_datum(main.run)));
    TriggerOptions options;
    options.priority = rows.int2(0, 1) - main.version->plan.priority;
    options.tags = rows.maybe(0, 2);
    if (auto us = rows.maybe(0, 3)) options.timeout_us = DatumGetInt64(*us);
    if (!rows.is_null(0, 4)) options.traceparent = rows.text(0, 4);
    options.source = "continued";
    const RunId next = trigger(call, main.version->workflow, {&input, 1}, {}, options).front().run;
    move_signals(call, main.run, next);
    std::vector<Settlement> settlements(1);
    settlements[0].lease_text = lease;
    settlements[0].lease = key;
    settlements[0].output = pg::jsonb_datum(core::to_text(core::Json{{"continued_as", core::uuid_to_text(next)}}));
    settle(call, nullptr, settlements, false);
    if (settlements[0].status != SettleStatus::ok) raise_refusal(settlements[0]);
    return next;
}

void wake_code(Call &call, std::span<const RunId> runs)
{
    static_assert(core::task_goes(waiting, ready, EventKind::task_woken));
    static pg::Statement update(
        "with m as materialized ("
        " select t.run_id from unnest($1::uuid[]) u(run_id) join _orch.task_{} t on t.run_id = u.run_id and t.task_no = 0"
        " where t.state = 'w' and case when t.item ? 'all' then"
        "  not coalesce((select true from jsonb_array_elements(t.item -> 'all') n"
        "   where (select s.state from _orch.task_{} s where s.run_id = t.run_id and s.task_no = n.value::int4) not in ('S', 'F', 'T', 'K', 'U', 'C') limit "
        "1), false)"
        " else"
        "  coalesce((select true from jsonb_array_elements(t.item -> 'any') n"
        "   where (select s.state from _orch.task_{} s where s.run_id = t.run_id and s.task_no = n.value::int4) in ('S', 'F', 'T', 'K', 'U', 'C') limit 1), "
        "false)"
        " end for update of t skip locked)"
        " update _orch.task_{} t set state = 'y', no = t.no + 1, ready_at = $2, item = null from m where t.run_id = m.run_id and t.task_no = 0"
        " returning t.run_id, t.no, t.priority, t.version_id",
        {UUIDARRAYOID, TIMESTAMPTZOID});
    by_day(
        runs, [](const RunId &r) { return day_of(r); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID);
            for (size_t i = first; i < last; i++) run.add(runs[i]);
            const pg::Rows rows = update.run_on(day, Parameters<2>().add(run.array()).add(time_datum(call.now())));
            set_ready(call, rows);
            if (rows.count() == last - first) return;
            std::vector<RunId> woken;
            for (uint64 i = 0; i < rows.count(); i++) woken.push_back(pg::uuid_of(rows.get(i, 1)));
            std::sort(woken.begin(), woken.end());
            for (size_t i = first; i < last; i++)
                if (!std::binary_search(woken.begin(), woken.end(), runs[i])) shared::on_commit_advance({runs[i], main_task});
        });
}

bool look_at_code(Call &call, const RunId &run)
{
    static pg::Statement lock("select t.state from _orch.task_{} t where t.run_id = $1 and t.task_no = 0 for update skip locked", {UUIDOID});
    static pg::Statement look("select t.state from _orch.task_{} t where t.run_id = $1 and t.task_no = 0", {UUIDOID});
    static pg::Statement update("update _orch.task_{} t set state = 'y', no = t.no + 1, ready_at = $2, item = null where t.run_id = $1 and t.task_no = 0"
                                " returning t.run_id, t.no, t.priority, t.version_id",
                                {UUIDOID, TIMESTAMPTZOID});
    static pg::Statement item("select t.item from _orch.task_{} t where t.run_id = $1 and t.task_no = 0", {UUIDOID});
    const auto id = Parameters<1>().add(pg::uuid_datum(run));
    pg::Rows rows = lock.run_on(day_of(run), id);
    if (rows.empty()) {
        rows = look.run_on(day_of(run), id);
        if (!rows.empty() && !core::is_final(rows.letter(0, 1)))
            shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, shared::TimerKind::run_at);
        return !rows.empty() && core::is_final(rows.letter(0, 1));
    }
    if (core::is_final(rows.letter(0, 1))) return true;
    if (rows.letter(0, 1) != waiting) return false;
    // The row is ours now: who ended something has committed it, or will look when he has.
    rows = item.run_on(day_of(run), id);
    if (rows.is_null(0, 1)) return false;
    const Datum waits = rows.get(0, 1);
    const std::optional<Datum> all = pg::member(waits, "all"), any = pg::member(waits, "any");
    if (!all && !any) return false;
    std::vector<int32> numbers;
    const auto elements = pg::elements(all ? *all : *any);
    for (Datum n : elements.value_or(std::vector<Datum>{})) numbers.push_back(std::stoi(pg::json_text_of(n)));
    if (holds_now(run, all.has_value(), numbers))
        set_ready(call, update.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(time_datum(call.now()))));
    return false;
}

bool condition_holds(Datum item, const std::vector<char> &states)
{
    const std::optional<Datum> all = pg::member(item, "all"), any = pg::member(item, "any");
    if (!all && !any) return false;
    const auto elements = pg::elements(all ? *all : *any);
    for (Datum n : elements.value_or(std::vector<Datum>{})) {
        const size_t no = std::stoul(pg::json_text_of(n));
        const bool over = no < states.size() && core::is_final(states[no]);
        if (over != all.has_value()) return !all.has_value();
    }
    return all.has_value();
}

bool close_code_rows(Call &call, const RunId &run, bool main_over)
{
    static pg::Statement select("select t.task_no, t.state from _orch.task_{} t where t.run_id = $1 and t.task_no > 0 and t.state in ('p', 'y', 'r', 'd', 'w')",
                                {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    bool left = false, missed = false;
    std::vector<Transition> transitions;
    for (uint64 i = 0; i < rows.count(); i++) {
        const int32 no = rows.int4(i, 1);
        if (rows.letter(i, 2) == running) {
            left = true;
            if (main_over) shared::on_commit_stop_leases(run, no);
            continue;
        }
        if (rows.letter(i, 2) == waiting && !close_child(call, {run, no})) {
            missed = true;
            continue;
        }
        Transition t{run, no, rows.letter(i, 2), cancelled};
        t.events = EventKind::task_cancelled;
        t.finished_at = call.now();
        transitions.push_back(t);
    }
    apply(call, transitions);
    for (const Transition &t : transitions) {
        if (t.applied) call.events().add({run, t.task_no, t.no, EventKind::task_cancelled, 0, call.engine_actor()});
        else missed = true;
    }
    if (missed) shared::on_commit_timer(call.now() + look_again_us, {run, run_itself}, shared::TimerKind::run_at);
    return !left && !missed;
}

std::optional<Datum> error_of_main(const RunId &run)
{
    static pg::Statement select("select e.payload from _orch.task_{} t join _orch.event_{} e on e.run_id = t.run_id and e.task_no = 0 and e.no = t.output_no"
                                " where t.run_id = $1 and t.task_no = 0 and t.state in ('F', 'T')",
                                {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    return rows.empty() ? std::nullopt : rows.maybe(0, 1);
}

}  // namespace orch::engine
