#include "background/runners.hpp"

#include "background/processes.hpp"
#include "background/runner_arguments.hpp"
#include "background/turn.hpp"
#include "shared/clock.hpp"
#include "shared/routes.hpp"
#include "shared/settings.hpp"

namespace orch::background {

namespace {

constexpr int routes_at_once = 64;
constexpr int64_t retry_ms = 5'000;
constexpr int64_t short_life_us = 1'000'000;  // a runner that ended sooner could not do its work: the next one of its role waits

struct Started {
    char role[129];
    BackgroundWorkerHandle *handle;
    int64_t started_at;
};

struct Pause {
    char role[129];
    int64_t until;
};

struct Runners {
    std::vector<Started> running;
    shared::RunnerWanted wanted[routes_at_once];
    int wanted_count = 0;
    std::vector<Pause> pauses;
    bool short_of_places = false;
};

// Leaked: it lives as long as the process.
Runners *runners;

Runners &here()
{
    if (!runners) runners = new Runners;
    return *runners;
}

int running_for(const char *role)
{
    return static_cast<int>(std::count_if(here().running.begin(), here().running.end(), [&](const Started &r) { return std::strcmp(r.role, role) == 0; }));
}

bool pausing(const char *role)
{
    return std::any_of(here().pauses.begin(), here().pauses.end(), [&](const Pause &p) { return std::strcmp(p.role, role) == 0; });
}

bool start_runner(const char *role, Oid role_oid)
{
    Runners &r = here();
    const RunnerArguments arguments{MyDatabaseId, role_oid};
    BackgroundWorkerHandle *handle = nullptr;
    pg::call_pg([] { MemoryContextSwitchTo(TopMemoryContext); });  // the handle outlives the turn
    handle = start_process("orch sql runner", "orch sql runner", "orch_sql_runner_main", static_cast<Datum>(0), &arguments, sizeof(arguments));
    pg::call_pg([] { MemoryContextSwitchTo(CurTransactionContext); });
    if (handle) {
        Started &runner = r.running.emplace_back();
        strlcpy(runner.role, role, sizeof(runner.role));
        runner.handle = handle;
        runner.started_at = shared::monotonic_us();
        r.short_of_places = false;
        return true;
    }
    if (!r.short_of_places)
        pg::call_pg([] {
            ereport(LOG, (errmsg("orch: no place for a SQL runner; SQL tasks wait, trying again every five seconds"), errhint("Raise max_worker_processes.")));
        });
    r.short_of_places = true;
    return false;
}

bool start_missing(void *)
{
    Runners &r = here();
    for (int i = 0; i < r.wanted_count; i++) {
        const char *role = r.wanted[i].role;
        Oid role_oid = InvalidOid;
        pg::call_pg([&] { role_oid = get_role_oid(role, true); });
        if (!OidIsValid(role_oid)) continue;  // orch.why says so; tasks wait until the role is back
        while (running_for(role) < settings::sql_workers)
            if (!start_runner(role, role_oid)) return false;
    }
    return false;
}

}  // namespace

int64_t look_after_runners()
{
    Runners &r = here();
    std::erase_if(r.pauses, [now = shared::monotonic_us()](const Pause &p) { return p.until <= now; });
    r.wanted_count = shared::runners_wanted(routes_at_once, r.wanted);
    r.wanted_count = static_cast<int>(
        std::remove_if(r.wanted, r.wanted + r.wanted_count, [](const auto &w) { return running_for(w.role) >= settings::sql_workers || pausing(w.role); }) -
        r.wanted);
    if (r.wanted_count == 0) return r.pauses.empty() ? -1 : retry_ms;
    const TurnEnd end = turn("starting SQL runners", "trying again in five seconds", start_missing);
    return end == TurnEnd::failed || r.short_of_places || !r.pauses.empty() ? retry_ms : -1;
}

bool runners_ended()
{
    return std::erase_if(here().running, [](const Started &runner) {
               if (is_running(runner.handle)) return false;
               pfree(runner.handle);
               if (const int64_t now = shared::monotonic_us(); now - runner.started_at < short_life_us) {
                   Pause &pause = here().pauses.emplace_back();
                   strlcpy(pause.role, runner.role, sizeof(pause.role));
                   pause.until = now + retry_ms * 1000;
               }
               return true;
           }) > 0;
}

}  // namespace orch::background
