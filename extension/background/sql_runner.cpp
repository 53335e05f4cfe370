// A SQL runner: a background worker whose session is the role that registered a version, so that whatever its statements start (deferred triggers at commit, cursors, functions)
// runs as that role and never as somebody more powerful.
//
//   1. lease     a task, in a transaction of its own, so that a crash shows as an expired lease
//   2. run       the statement as the role, then as the engine: settle it and lease the next one; all of it one commit
//   3. or fail   if 2 raised, even at its commit: in a new transaction end the attempt and lease the next one
// While a statement runs its task's row stays locked: that is its heartbeat, since the reaper passes over locked rows and a dead process holds none.
// Between tasks whatever a session can keep is thrown away. The runner leaves when it had nothing to do for a while, and after many tasks.
#include "background/runner_arguments.hpp"
#include "background/sql_session.hpp"
#include "background/turn.hpp"
#include "core/lease_text.hpp"
#include "core/retry_policy.hpp"
#include "engine/settle.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/launching.hpp"
#include "shared/settings.hpp"
#include "shared/workers.hpp"

namespace orch::background {

namespace {

using engine::Call;
using engine::LeasedTask;
using engine::Settlement;
using engine::SettleStatus;
using engine::WorkerIdentity;

constexpr int tasks_in_a_life = 10'000;
constexpr int64_t idle_us = 60'000'000;

// One leased task, copied out of the transaction that leased it.
struct Job {
    std::string lease;
    RunnerSql sql;
    engine::TaskRef task;
    int16 attempt;
};

struct Runner {
    std::string role;
    std::string name;
    std::optional<Job> job;
    Caught error;  // how the statement went wrong, for the turn that says so
    std::string error_class;
    std::vector<engine::LogLine> notices;
    std::string cost;            // empty where it did not come to run
    bool keeping_books = false;  // what fails now is the engine's, not the statement's
};

Runner *runner;  // leaked: it lives as long as the process

void take_next(Call &call, const WorkerIdentity &worker)
{
    runner->job.reset();
    const std::vector<LeasedTask> leased = engine::lease(call, worker, 1, settings::default_lease_time_ms * INT64CONST(1000));
    if (leased.empty()) return;
    const LeasedTask &t = leased.front();
    runner->job = Job{t.lease, sql_of(pg::json_text_of(*t.spec)), {t.run, t.task_no}, t.attempt};
}

WorkerIdentity identity(Call &call) { return engine::know_runner(call, runner->name, runner->role); }

SettleStatus settle_job(Call &call, const WorkerIdentity &worker, std::optional<Datum> output, std::optional<Datum> error, std::optional<Datum> facts)
{
    std::vector<Settlement> settlements(1);
    settlements[0].lease_text = runner->job->lease;
    settlements[0].lease = core::decode_lease(runner->job->lease);
    settlements[0].output = output;
    settlements[0].error = error;
    settlements[0].facts = facts;
    engine::settle(call, &worker, settlements, false);
    return settlements[0].status;
}

bool lease_one(void *)
{
    Call call;
    take_next(call, identity(call));
    call.finish();
    return false;
}

[[noreturn]] void raise_lost() { throw pg::error{pg::lease_lost, "the lease of this SQL task was lost", "Its effect is rolled back.", {}}; }

// Only the statement can be cancelled, not what the runner does around it: a cancel that comes late would stop the end of the attempt, or hit the next task.
// An error lets go of what was held.
void hold_cancels() { QueryCancelHoldoffCount = 1; }

std::string run_cancellable(const Job &job)
{
    QueryCancelPending = false;
    shared::LeaseState held;
    if (shared::lease_of(job.task, held) && held.cancel) throw pg::error{ERRCODE_QUERY_CANCELED, "the task was cancelled before its statement began", {}, {}};
    QueryCancelHoldoffCount = 0;
    std::string output = run_sql(job.sql);
    hold_cancels();
    return output;
}

// The statement and its settlement in one transaction.
bool run_one(void *)
{
    const Job &job = *runner->job;
    runner->keeping_books = true;
    {
        const core::Lease lease = *core::decode_lease(job.lease);
        Call call;
        const bool held = !engine::lock_attempts({{lease.run_id, lease.task_no, lease.attempt, static_cast<int64>(lease.token)}}, false).empty();
        call.finish();
        if (!held) raise_lost();
    }
    runner->keeping_books = false;
    const std::string output = run_cancellable(job);
    Call call;
    const Datum result = pg::jsonb_datum(output);
    runner->keeping_books = true;
    const WorkerIdentity worker = identity(call);
    engine::append_log(call, job.task, job.attempt, take_notices());
    if (settle_job(call, worker, result, std::nullopt, pg::jsonb_datum(cost_of_sql())) != SettleStatus::ok) raise_lost();
    take_next(call, worker);
    call.finish();
    runner->keeping_books = false;  // constraints and triggers that were put off to the commit
    return false;
}

// The attempt failed and its transaction is rolled back.
bool fail_one(void *)
{
    const Job &job = *runner->job;
    core::Json error{{"class", runner->error_class}, {"code", runner->error.code}, {"message", runner->error.message}};
    if (!runner->error.detail.empty()) error["detail"] = runner->error.detail;
    Call call;
    const WorkerIdentity worker = identity(call);
    engine::append_log(call, job.task, job.attempt, runner->notices);
    settle_job(call, worker, std::nullopt, pg::jsonb_datum(core::to_text(error)),
               runner->cost.empty() ? std::nullopt : std::optional(pg::jsonb_datum(runner->cost)));
    take_next(call, worker);
    call.finish();
    return false;
}

bool release_one(void *)
{
    Call call;
    engine::release(call, {runner->job->lease}, false);
    runner->job.reset();
    call.finish();
    return false;
}

// What kind of failure it was. An interrupt that was not meant for this task (the one before was being cancelled) gives the task back instead.
bool classify_failure()
{
    runner->notices = take_notices();
    runner->cost = cost_of_sql();
    shared::LeaseState held;
    const bool told_to_stop = shared::lease_of(runner->job->task, held) && held.cancel;
    const bool interrupted = runner->error.code == "57014";
    if (interrupted && timed_out()) runner->error_class = "timeout";
    else if (told_to_stop) runner->error_class = "cancelled";
    else runner->error_class = core::error_class_name(runner->keeping_books ? core::ErrorClass::infrastructure : core::class_of_sqlstate(runner->error.code));
    return !interrupted || told_to_stop || timed_out();
}

void work()
{
    for (int done = 0; done < tasks_in_a_life && runner->job && !shared::told_to_leave(); done++) {
        const Job job = *runner->job;
        if (turn("running a SQL task", runner->error, run_one) == TurnEnd::failed) {
            hold_cancels();
            // take_next may have moved on within the transaction that was rolled back.
            runner->job = job;
            const bool own = classify_failure();
            if (turn("ending a SQL task", "its lease will expire", own ? fail_one : release_one) != TurnEnd::done) runner->job.reset();
        }
        hold_cancels();
        forget_session();
        if (!runner->job && turn("leasing a SQL task", "the runner leaves", lease_one) != TurnEnd::done) return;
    }
}

// False when it is time to leave.
bool wait_for_work()
{
    const int slot = shared::worker_find({}, runner->name);
    if (slot == shared::no_slot || shared::worker_draining(slot)) return false;
    const int64_t until = shared::monotonic_us() + idle_us;
    shared::waiter_begin(slot);
    bool there = shared::work_for(slot);
    for (int64_t left = idle_us; !there && left > 0 && !shared::told_to_leave(); left = until - shared::monotonic_us()) {
        sleep_until_woken(left / 1000 + 1, "OrchSqlRunnerMain");
        there = shared::work_for(slot);
    }
    shared::waiter_end(slot);
    return there && !shared::told_to_leave() && shared::phase() == shared::Phase::open;
}

bool take_name(void *)
{
    char *role = nullptr;
    pg::call_pg([&] { role = GetUserNameFromId(GetSessionUserId(), false); });
    runner->role = role;
    // Numbers are used again, so that the list of workers does not grow with every start.
    for (int number = 1;; number++) {
        runner->name = "sql/" + runner->role + "#" + std::to_string(number);
        if (shared::claim_worker_name(runner->name)) return false;
    }
}

bool leave(void *)
{
    Call call;
    if (runner->job) engine::release(call, {runner->job->lease}, false);
    call.finish();
    return false;
}

void run(Datum)
{
    RunnerArguments arguments;
    std::memcpy(&arguments, MyBgworkerEntry->bgw_extra, sizeof arguments);
    begin_worker(arguments.database, arguments.role);
    runner = new Runner;
    if (!shared::helper_begin()) return;
    begin_sql_session();
    hold_cancels();
    if (turn("starting", "the runner leaves", take_name) != TurnEnd::done) return;
    do {
        if (turn("leasing a SQL task", "the runner leaves", lease_one) != TurnEnd::done) break;
        work();
    } while (!runner->job && wait_for_work());
    turn("leaving", "its leases expire", leave);
    if (const int slot = shared::worker_find({}, runner->name); slot != shared::no_slot) shared::worker_close(slot);
}

}  // namespace

}  // namespace orch::background

extern "C" PGDLLEXPORT void orch_sql_runner_main(Datum argument);

void orch_sql_runner_main(Datum argument)
{
    orch::pg::guarded<orch::background::run>(argument);
    // 0: not started again by the postmaster; the steward starts runners when there is work for them.
    proc_exit(0);
}
