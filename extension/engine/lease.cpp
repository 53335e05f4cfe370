#include "engine/lease.hpp"

#include "core/lease_text.hpp"
#include "core/problem.hpp"
#include "core/spec.hpp"
#include "core/state_changes.hpp"
#include "engine/attempts.hpp"
#include "engine/columns.hpp"
#include "engine/document.hpp"
#include "engine/heartbeat.hpp"
#include "engine/question.hpp"
#include "engine/refill.hpp"
#include "engine/task_of.hpp"
#include "shared/database.hpp"
#include "shared/settings.hpp"
#include "shared/workers.hpp"

#include <set>

namespace orch::engine {

namespace {

constexpr int most_leased = 10'000;
constexpr int most_rounds = 20;
constexpr int most_looks = 200;
constexpr long between_looks_us = 200;
constexpr int64 open_timeout_ms = 10'000;

struct Taken {
    RunId run;
    int32 task_no;
    int32 version_id;
    int32 no;
    int16 attempt;
    int16 attempts_before;
    bool traced;
    std::optional<Datum> input;  // given by a redrive, or by the code that made it
    std::optional<Datum> item;   // of one that code made
    TimestampTz ready_at;
};

uint64 random_token()
{
    uint64 token = 0;
    pg::call_pg([&] {
        if (!pg_strong_random(&token, sizeof token)) elog(ERROR, "could not generate a random token");
    });
    return token;
}

// Ready tasks of runs that are being cancelled do not start any more, but for their "finally" tasks. What is left out comes back to the queue, until an advance has looked.
void leave_out_cancelled(std::vector<TaskRef> &candidates)
{
    static pg::Statement select("select u.run_id, u.task_no, r.version_id from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                                " join _orch.run_{} r on r.run_id = u.run_id where r.state = 'c'",
                                {UUIDARRAYOID, INT4ARRAYOID});
    std::set<TaskRef> left_out;
    by_day(
        candidates, [](const TaskRef &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID);
            for (size_t i = first; i < last; i++) {
                run.add(candidates[i].run);
                task_no.add(Int32GetDatum(candidates[i].task_no));
            }
            pg::Rows rows = select.run_on(day, Parameters<2>().add(run.array()).add(task_no.array()));
            for (uint64 i = 0; i < rows.count(); i++) {
                const Version &version = version_of(rows.int4(i, 3));
                const int32 no = rows.int4(i, 2);
                if (no >= version.task_count() || !version.task(no).is_finally) left_out.insert({pg::uuid_of(rows.get(i, 1)), no});
            }
        });
    for (const TaskRef &task : left_out) shared::put_back(task);
    std::erase_if(candidates, [&](const TaskRef &task) { return left_out.contains(task); });
}

// A row that is ready still becomes running, under this worker's token.
bool take_row(Call &call, pg::KeptRows &rows, const TaskRef &task, const WorkerIdentity &worker, uint64 token, std::vector<Taken> &taken)
{
    static_assert(core::task_goes(core::task_state::ready, core::task_state::running, EventKind::task_started));
    namespace column = task_column;
    if (!rows.find(task.run, task.task_no) || DatumGetChar(rows.get(column::state)) != core::task_state::ready) return false;
    const int32 no = DatumGetInt32(rows.get(column::no)) + 1;
    const int16 attempt = DatumGetInt16(rows.get(column::attempt)) + 1;
    rows.set(column::state, CharGetDatum(core::task_state::running));
    rows.set(column::attempt, Int16GetDatum(attempt));
    rows.set(column::no, Int32GetDatum(no));
    rows.set(column::token, Int64GetDatum(static_cast<int64>(token)));
    rows.set(column::worker_id, Int32GetDatum(worker.worker_id));
    rows.set(column::started_at, time_datum(call.now()));
    if (!rows.try_change()) return false;
    taken.push_back({task.run, task.task_no, DatumGetInt32(rows.get(column::version_id)), no, attempt, DatumGetInt16(rows.get(column::attempts_before)),
                     DatumGetChar(rows.get(column::flags)) == '1', pg::copy_of(rows.maybe(column::input)), pg::copy_of(rows.maybe(column::item)),
                     rows.is_null(column::ready_at) ? call.now() : DatumGetTimestampTz(rows.get(column::ready_at))});
    return true;
}

// As many of them as are ready and nobody has locked; what was locked comes back to the queue later.
std::vector<Taken> take_rows(Call &call, std::vector<TaskRef> candidates, const WorkerIdentity &worker, uint64 token)
{
    static pg::Statement still_ready("select t.run_id, t.task_no from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                                     " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no where t.state = 'y'",
                                     {UUIDARRAYOID, INT4ARRAYOID});

    std::sort(candidates.begin(), candidates.end());
    if (shared::cancels_unseen()) leave_out_cancelled(candidates);
    std::vector<Taken> taken;
    by_day(
        candidates, [](const TaskRef &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID);  // of those that we did not get
            pg::KeptRows rows = kept_tasks(day);
            for (size_t i = first; i < last; i++) {
                if (take_row(call, rows, candidates[i], worker, token, taken)) continue;
                run.add(candidates[i].run);
                task_no.add(Int32GetDatum(candidates[i].task_no));
            }
            rows.finish();
            if (run.empty()) return;
            const pg::Rows ready = still_ready.run_on(day, Parameters<2>().add(run.array()).add(task_no.array()));
            for (uint64 i = 0; i < ready.count(); i++) shared::put_back({pg::uuid_of(ready.get(i, 1)), ready.int4(i, 2)});
        });
    return taken;
}

std::map<RunId, Datum> traceparents(const std::vector<Taken> &taken)
{
    static pg::Statement select("select r.run_id, r.traceparent from _orch.run_{} r where r.run_id = any($1) and r.traceparent is not null", {UUIDARRAYOID});
    std::vector<RunId> runs;
    for (const Taken &t : taken)
        if (t.traced) runs.push_back(t.run);
    std::map<RunId, Datum> found;
    by_day(
        runs, [](const RunId &r) { return day_of(r); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID);
            for (size_t i = first; i < last; i++) run.add(runs[i]);
            pg::Rows rows = select.run_on(day, Parameters<1>().add(run.array()));
            for (uint64 i = 0; i < rows.count(); i++) found.emplace(pg::uuid_of(rows.get(i, 1)), rows.get(i, 2));
        });
    return found;
}

// What code is given, each time that it runs: the input of its run.
std::map<RunId, Datum> inputs_of_code(const std::vector<Taken> &taken)
{
    static pg::Statement select(
        "select e.run_id, e.payload from unnest($1::uuid[]) u(run_id) join _orch.event_{} e on e.run_id = u.run_id and e.task_no = -1 and e.no = 1",
        {UUIDARRAYOID});
    std::vector<RunId> runs;
    for (const Taken &t : taken)
        if (t.task_no == 0 && version_of(t.version_id).is_code()) runs.push_back(t.run);
    std::map<RunId, Datum> found;
    by_day(
        runs, [](const RunId &r) { return day_of(r); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID);
            for (size_t i = first; i < last; i++) run.add(runs[i]);
            pg::Rows rows = select.run_on(day, Parameters<1>().add(run.array()));
            for (uint64 i = 0; i < rows.count(); i++)
                if (auto input = rows.maybe(i, 2)) found.emplace(pg::uuid_of(rows.get(i, 1)), *input);
        });
    return found;
}

// A constant spec or input is made once and kept beside its version.
Datum keep(const std::string &json)
{
    Datum kept = 0;
    pg::call_pg([&] {
        MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
        kept = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str()));
        MemoryContextSwitchTo(before);
    });
    return kept;
}

// Fills spec and input, the latter unless a row of the task gave its own; false with the reason where a template does not resolve.
bool describe(Call &call, const Version &version, LeasedTask &leased, expression_error &why)
{
    const int32 t = leased.task_no;
    const core::PlannedTask &task = task_of(version, leased.run, t);
    if (t >= version.task_count()) {
        leased.spec = pg::jsonb_datum(core::spec_of_values(task));
        return true;
    }
    if (!task.has_templates) {
        if (!version.specs[t]) version.specs[t] = keep(core::to_text(core::spec_of(task)));
        leased.spec = version.specs[t];
        if (leased.input || task.input.is_null()) return true;
        if (!version.inputs[t]) version.inputs[t] = keep(core::to_text(task.input));
        leased.input = version.inputs[t];
        return true;
    }
    // An output that this very transaction settled is read from its event, like any other.
    call.events().write();
    try {
        Document document(leased.run, version);
        if (task.references_run) document.facts(facts_of(leased.run));
        leased.spec = pg::jsonb_datum(document.resolve_spec(task));
        if (!leased.input && !task.input.is_null()) leased.input = pg::jsonb_datum(document.resolve(task, task.input));
        return true;
    } catch (const expression_error &e) {
        why = e;
        return false;
    }
}

// Only those that were tried before can have any, so a first attempt costs nothing.
std::map<TaskRef, Datum> earlier_progress(const std::vector<Taken> &taken)
{
    std::vector<TaskRef> again;
    for (const Taken &t : taken)
        if (t.attempt > 1) again.push_back({t.run, t.task_no});
    if (again.empty()) return {};
    return progress_before(std::move(again));
}

// The spec itself may be one that is kept beside its version.
Datum with_progress(Datum spec, Datum progress)
{
    const Datum added = pg::jsonb_datum(R"({"progress":)" + pg::json_text_of(progress) + "}");
    Datum both = 0;
    pg::call_pg([&] { both = DirectFunctionCall2(jsonb_concat, spec, added); });
    return both;
}

void take_candidates(const WorkerIdentity &worker, int max_tasks, std::vector<TaskRef> &candidates)
{
    candidates.resize(max_tasks);
    int count = shared::take_ready(worker.slot, max_tasks, candidates.data());
    // What this transaction's own settles made ready: a chain of n steps costs n commits.
    if (count < max_tasks) count += shared::take_own_ready(worker.slot, max_tasks - count, candidates.data() + count);
    if (count < max_tasks && refill(worker.slot)) count += shared::take_ready(worker.slot, max_tasks - count, candidates.data() + count);
    // Somebody else is reading more: to come back empty now would only make the worker ask again at once.
    for (int look = 0; count == 0 && look < most_looks && shared::refill_in_progress(worker.slot); look++) {
        pg::call_pg([] {
            pg_usleep(between_looks_us);
            CHECK_FOR_INTERRUPTS();
        });
        count = shared::take_ready(worker.slot, max_tasks, candidates.data());
    }
    candidates.resize(count);
}

}  // namespace

void require_own_transaction(const char *function)
{
    static LocalTransactionId last = InvalidLocalTransactionId;
    const std::string name = function;
    if (IsTransactionBlock() || IsSubTransaction())
        throw pg::error{ERRCODE_ACTIVE_SQL_TRANSACTION, name + " cannot run inside a transaction block",
                        "What it hands out would stay locked until that transaction ends.", "Call it as a statement of its own, with autocommit on."};
    if (XactIsoLevel > XACT_READ_COMMITTED)
        throw pg::error{ERRCODE_ACTIVE_SQL_TRANSACTION, name + " needs the isolation level READ COMMITTED",
                        "A snapshot of the whole transaction would not see what just became ready.",
                        "Set default_transaction_isolation to 'read committed' for workers."};
    if (MyProc->lxid == last)
        throw pg::error{ERRCODE_ACTIVE_SQL_TRANSACTION,
                        name + " was called a second time in one transaction",
                        {},
                        "End the transaction first; in a pipeline, send a Sync before the next call."};
    last = MyProc->lxid;
}

std::vector<LeasedTask> lease(Call &call, const WorkerIdentity &worker, int max_tasks, int64 lease_time_us)
{
    if (max_tasks < 0 || max_tasks > most_leased)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "max_tasks " + std::to_string(max_tasks) + " is not between 0 and 10000", {}, {}};
    if (lease_time_us < USECS_PER_SEC / 10 || lease_time_us > USECS_PER_DAY)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "lease_time must be between 100 ms and 1 day", {}, {}};
    require_not_held();
    if (shared::phase() == shared::Phase::unused) return {};
    if (shared::phase() != shared::Phase::open && !shared::wait_until_open(open_timeout_ms)) {
        require_not_held();
        return {};
    }

    const uint64 token = random_token();
    std::vector<Taken> taken;
    std::vector<LeasedTask> result;
    // Entries whose row has gone another way are dropped on the way: as long as there are some, there may be a good one behind them.
    for (int round = 0; round < most_rounds && static_cast<int>(taken.size() + result.size()) < max_tasks; round++) {
        std::vector<TaskRef> candidates;
        take_candidates(worker, max_tasks - static_cast<int>(taken.size() + result.size()), candidates);
        if (candidates.empty()) break;
        const size_t questions = result.size(), offered = candidates.size();
        take_questions(call, candidates, worker, token, lease_time_us, result);
        const std::vector<Taken> more = take_rows(call, std::move(candidates), worker, token);
        taken.insert(taken.end(), more.begin(), more.end());
        if (more.size() + result.size() - questions == offered) break;
    }
    if (taken.empty()) return result;
    // The lease must be on disk before the worker starts, or a crash would hand the task out again under a token that somebody holds.
    ForceSyncCommit();
    const std::map<RunId, Datum> traces = traceparents(taken);
    const std::map<TaskRef, Datum> progress = earlier_progress(taken);
    const std::map<RunId, Datum> inputs = inputs_of_code(taken);
    const Datum actor = call.worker_actor(worker.name);

    std::vector<EndedAttempt> unresolved;
    result.reserve(result.size() + taken.size());
    for (const Taken &t : taken) {
        const Version &version = version_of(t.version_id);
        const core::PlannedTask &task = task_of(version, t.run, t.task_no, t.item);
        LeasedTask leased{core::encode_lease({t.run, t.task_no, t.attempt, token}), t.run, t.task_no, t.attempt, &version, {}, {}, {}, {}};
        call.events().add({t.run, t.task_no, t.no, EventKind::task_started, t.attempt, actor});
        shared::on_commit_timing(shared::Timing::queueing, version.tenant, task.queue, call.now() - t.ready_at);
        leased.input = t.input;
        expression_error why;
        if (!describe(call, version, leased, why)) {
            unresolved.push_back({{t.run, t.task_no, t.version_id, t.no, worker.worker_id, t.attempt, t.attempts_before, call.now()},
                                  HowEnded::failed,
                                  error_json("validation", why.code, why.message),
                                  false,
                                  false,
                                  true,
                                  call.engine_actor()});
            continue;
        }
        if (auto told = progress.find({t.run, t.task_no}); told != progress.end()) leased.spec = with_progress(*leased.spec, told->second);
        if (auto input = inputs.find(t.run); !t.input && t.task_no == 0 && input != inputs.end()) leased.input = input->second;
        if (auto trace = traces.find(t.run); trace != traces.end()) leased.traceparent = trace->second;
        if (task.timeout_seconds > 0) {
            leased.deadline_at = call.now() + static_cast<int64>(task.timeout_seconds * USECS_PER_SEC);
            // The worker ends its attempt itself at that time; the engine does so for one that does not, a moment later.
            shared::on_commit_timer(*leased.deadline_at + settings::timeout_grace_ms * INT64CONST(1000), {t.run, t.task_no},
                                    shared::TimerKind::attempt_deadline);
        }
        if (!shared::on_commit_lease({t.run, t.task_no}, t.attempt, static_cast<int64>(token), worker.slot, lease_time_us))
            throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "no more than 131072 tasks can be leased at a time", {}, "Settle or release some first."};
        result.push_back(std::move(leased));
    }
    if (!unresolved.empty()) end_attempts(call, unresolved);
    return result;
}

}  // namespace orch::engine
