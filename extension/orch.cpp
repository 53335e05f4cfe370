// The library as PostgreSQL sees it: the magic block, the settings, and what is hooked in when it is preloaded.
#include "background/launcher.hpp"
#include "background/redis_notifier.hpp"
#include "background/step_aside.hpp"
#include "shared/layout.hpp"
#include "shared/mark.hpp"
#include "shared/settings.hpp"
#include "shared/transaction.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace orch::settings {

int ready_memory_kb = 64 * 1024;
int max_result_bytes = 1024 * 1024;
int max_spec_bytes = 32 * 1024 * 1024;
int default_lease_time_ms = 30'000;
int heartbeat_interval_ms = 5'000;
int sql_workers = 2;
int expression_timeout_ms = 100;
int timeout_grace_ms = 1'000;
int log_plan_min_duration_ms = -1;
bool test_clock = false;
bool hold_on_promotion = false;
char *tenant = nullptr;
char *token = nullptr;
int http_rate = 300;
int http_anonymous_rate = 30;
int http_burst_s = 60;
char *redis_url = nullptr;

namespace {

// It stands in every event that the session makes.
bool check_actor(char **value, void **, GucSource)
{
    constexpr size_t longest = 300;
    if (!*value) return true;
    for (const char *c = *value; *c; c++)
        if (static_cast<unsigned char>(*c) < ' ' || *c == 0x7f) {
            GUC_check_errdetail("A control character stands in it.");
            return false;
        }
    if (std::strlen(*value) <= longest) return true;
    GUC_check_errdetail("It is longer than %zu bytes.", longest);
    return false;
}

}  // namespace

// docs/settings.md is made of these texts.
void define()
{
    // PostgreSQL refuses to define these in a session, where they would mean nothing.
    if (process_shared_preload_libraries_in_progress) {
        DefineCustomIntVariable("orch.ready_memory", "Shared memory for ready tasks, timers and counters.",
                                "Three quarters hold entries of 48 bytes for ready tasks, timers and advances, one quarter counters of runs. What does not fit "
                                "is read from the rows again.",
                                &ready_memory_kb, 64 * 1024, 1024, 16 * 1024 * 1024, PGC_POSTMASTER, GUC_UNIT_KB, nullptr, nullptr, nullptr);
        DefineCustomBoolVariable("orch.hold_on_promotion", "Holds the databases of a standby that is promoted until they are adopted.",
                                 "For clones that are made as standbys. Counts as it is when the standby starts; without it a promoted standby goes on by "
                                 "itself.",
                                 &hold_on_promotion, false, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
        DefineCustomBoolVariable("orch.test_clock", "Allows tests to move the clock.",
                                 "With it a superuser may call _orch.advance_clock. Never where runs matter.", &test_clock, false, PGC_POSTMASTER, 0, nullptr,
                                 nullptr, nullptr);
    }
    DefineCustomIntVariable("orch.max_result_bytes", "Largest result of a task.", "A larger one is refused with OR013, and the worker fails the attempt.",
                            &max_result_bytes, 1024 * 1024, 1024, 256 * 1024 * 1024, PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.max_spec_bytes", "Largest definition of a workflow.", nullptr, &max_spec_bytes, 32 * 1024 * 1024, 1024, 256 * 1024 * 1024,
                            PGC_SUSET, GUC_UNIT_BYTE, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.default_lease_time", "How long a lease lasts where the worker does not say.",
                            "A worker that is silent for this long has lost its tasks.", &default_lease_time_ms, 30'000, 100, 24 * 3600 * 1000, PGC_SUSET,
                            GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.heartbeat_interval", "How often a worker is expected to call.",
                            "A worker that has not called for three intervals, and does not wait for work, counts as gone.", &heartbeat_interval_ms, 5'000, 100,
                            3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.sql_workers", "How many background workers run the SQL tasks of one role at the same time.",
                            "They are started when such tasks wait and count against max_worker_processes.", &sql_workers, 2, 0, 64, PGC_SIGHUP, 0, nullptr,
                            nullptr, nullptr);
    DefineCustomIntVariable("orch.expression_timeout", "Processor time that one evaluation of a template or condition may take.",
                            "A task whose expression takes longer fails.", &expression_timeout_ms, 100, 1, 60'000, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr,
                            nullptr);
    DefineCustomIntVariable("orch.timeout_grace", "How long after its timeout an attempt may still report by itself.",
                            "The worker stops a task at its timeout and reports it; the engine ends the attempt when no report has come by then.",
                            &timeout_grace_ms, 1'000, 0, 3600 * 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.log_plan_min_duration", "From which duration on the plan of a SQL task's statement is kept in the history.",
                            "orch.explain shows it. -1 keeps none, 0 all; above it rows are counted while the statement runs.", &log_plan_min_duration_ms, -1,
                            -1, 24 * 3600 * 1000, PGC_SUSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
    DefineCustomStringVariable(
        "orch.redis_url", "The Redis that hints about ready tasks are sent to.",
        "redis://[[user]:password@]host[:port][/database] or unix:///socket[?db=number]; empty sends none. For workers that wait in Redis "
        "instead of holding a connection; takes a place of max_worker_processes.",
        &redis_url, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, background::check_redis_url, nullptr, nullptr);
    DefineCustomStringVariable("orch.tenant", "The tenant that this session acts for.",
                               "Counts only for members of orch_admin and in sessions of a bridge; all others act for the tenant \"default\".", &tenant, "",
                               PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomStringVariable("orch.token", "The token that this session acts for, named as the actor in events and in orch.audit.",
                               "Counts only in sessions of a bridge, which sets it for each request: the name of a token, or KIND:SUBJECT.", &token, "",
                               PGC_USERSET, 0, check_actor, nullptr, nullptr);
    DefineCustomIntVariable("orch.http_rate", "How many requests a minute a token may make of the bridges.",
                            "Counted in shared memory, for all bridges together. 0 sets no limit.", &http_rate, 300, 0, 1'000'000, PGC_SUSET, 0, nullptr,
                            nullptr, nullptr);
    DefineCustomIntVariable("orch.http_anonymous_rate", "How many requests a minute may come from an address without a token, or with one that does not count.",
                            "Counted like orch.http_rate. 0 sets no limit.", &http_anonymous_rate, 30, 0, 1'000'000, PGC_SUSET, 0, nullptr, nullptr, nullptr);
    DefineCustomIntVariable("orch.http_burst", "How many requests may come at once: those of so long a time.",
                            "Whoever has been quiet for that long has them all; afterwards they come back one by one, at the rate.", &http_burst_s, 60, 1, 3600,
                            PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("orch");
}

}  // namespace orch::settings

extern "C" void _PG_init(void)
{
    orch::settings::define();
    // Without preloading every function says so, with a hint (OR031). In a binary upgrade nothing of ours may run.
    if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
    orch::shared::install_segment_hooks();
    orch::shared::install_mark_hook();
    orch::shared::register_transaction_callbacks();
    orch::background::install_step_aside_hooks();
    orch::background::register_launcher();
}
