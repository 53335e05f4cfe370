#include "background/turn.hpp"

#include "pg/compat.hpp"
#include "pg/session.hpp"

namespace orch::background {

namespace {

// Every call of PostgreSQL below stands in call_pg, so that an error becomes an exception and reaches the one catch of `guarded_turn`.
bool run(const char *doing, Work work, void *argument, bool needs_extension, bool &absent)
{
    pg::call_pg([&] {
        SetCurrentStatementStartTimestamp();
        pgstat_report_activity(STATE_RUNNING, doing);
        StartTransactionCommand();
        // A turn that finds nothing to do may come by no other place that looks, and SIGTERM must end its process all the same.
        CHECK_FOR_INTERRUPTS();
        AcceptInvalidationMessages();
        PushActiveSnapshot(GetTransactionSnapshot());
        // Before the look whether the extension is here: a drop of it may be under way.
        const Oid table = needs_extension ? pg::gate() : InvalidOid;
        if (OidIsValid(table)) LockRelationOid(table, AccessShareLock);
    });
    absent = needs_extension && !OidIsValid(pg::extension_oid());
    const bool more = !absent && work(argument);
    pg::call_pg([] {
        PopActiveSnapshot();
        CommitTransactionCommand();
        pgstat_report_stat(false);
        pgstat_report_activity(STATE_IDLE, nullptr);
    });
    return more;
}

Caught copied(const pg::failure &f)
{
    const char *message = f.rethrow ? f.rethrow->message : f.message;
    const char *detail = f.rethrow ? f.rethrow->detail : f.detail;
    return {unpack_sql_state(f.rethrow ? f.rethrow->sqlerrcode : f.code), message ? message : "out of memory", detail ? detail : ""};
}

TurnEnd guarded_turn(const char *doing, const char *next, Work work, void *argument, bool needs_extension, Caught *caught = nullptr)
{
    MemoryContext context = CurrentMemoryContext;  // a commit moves it
    pg::failure failure{};
    bool more = false, absent = false;
    bool failed = false;
    try {
        more = run(doing, work, argument, needs_extension, absent);
    } catch (...) {
        failure = pg::describe_current_exception();
        failed = true;
    }
    if (failed) {
        HOLD_INTERRUPTS();
        if (caught) *caught = copied(failure);
        else pg::log_failure(failure, doing, next);
        AbortCurrentTransaction();
        pgstat_report_stat(false);
        pgstat_report_activity(STATE_IDLE, nullptr);
        RESUME_INTERRUPTS();
    }
    MemoryContextSwitchTo(context);
    if (failed) return TurnEnd::failed;
    if (absent) return TurnEnd::absent;
    return more ? TurnEnd::more : TurnEnd::done;
}

}  // namespace

TurnEnd turn(const char *doing, const char *next, Work work, void *argument) { return guarded_turn(doing, next, work, argument, true); }

TurnEnd turn(const char *doing, Caught &caught, Work work, void *argument) { return guarded_turn(doing, nullptr, work, argument, true, &caught); }

TurnEnd bare_turn(const char *doing, const char *next, Work work, void *argument) { return guarded_turn(doing, next, work, argument, false); }

void begin_worker(Oid database, Oid role)
{
    pg::call_pg([&] {
        pqsignal(SIGHUP, SignalHandlerForConfigReload);
        pqsignal(SIGTERM, die);
        BackgroundWorkerUnblockSignals();
        if (OidIsValid(database)) BackgroundWorkerInitializeConnectionByOid(database, role, 0);
        else BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
        // A SIGHUP that came before our handler was in place is lost.
        ProcessConfigFile(PGC_SIGHUP);
        MemoryContextSwitchTo(AllocSetContextCreate(TopMemoryContext, "orch background worker", ALLOCSET_DEFAULT_SIZES));
    });
}

void sleep_until_woken(int64_t timeout_ms, const char *wait_event)
{
    pg::call_pg([&] {
        const int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout_ms >= 0 ? WL_TIMEOUT : 0);
        WaitLatch(MyLatch, events, static_cast<long>(timeout_ms), pg::wait_event(wait_event));
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
    });
}

}  // namespace orch::background
