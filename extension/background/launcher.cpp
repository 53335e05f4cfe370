// The launcher cannot see what is inside a database, so:
//   at its start   every database that takes connections is probed once: a steward that finds no extension leaves again
//   afterwards     CREATE EXTENSION asks for a steward at its commit; so does whoever uses a database that has none
//   a steward ends in order (no extension, told to step aside): a new one only when somebody asks; by an error: a new one after five seconds
//   a database is dropped: its slot in shared memory is freed
//   orch.redis_url is set: the notifier is started, and again after five seconds where it ended
// It sleeps on its latch and runs nothing while there is nothing to do.
#include "background/launcher.hpp"

#include "background/processes.hpp"
#include "background/redis_notifier.hpp"
#include "background/turn.hpp"
#include "shared/clock.hpp"
#include "shared/launching.hpp"
#include "shared/mark.hpp"
#include "shared/types.hpp"

namespace orch::background {

namespace {

constexpr int64_t restart_us = 5'000'000;
constexpr int probes_at_once = 2;  // they take places of max_worker_processes from others

struct Watched {
    Oid database;
    BackgroundWorkerHandle *handle;  // nullptr: none started, or its end was seen
    bool probe;                      // not looked into yet
    int64_t not_before;
};

struct Launcher {
    std::vector<Watched> watched;
    std::vector<Oid> databases;  // of pg_database, those that take connections
    std::vector<Oid> all;
    bool short_of_places = false;
};

// Leaked: it lives as long as the process.
Launcher *launcher;

bool read_databases(void *)
{
    launcher->databases.clear();
    launcher->all.clear();
    List *found = NIL;
    List *connectable = NIL;
    pg::call_pg([&] {
        Relation relation = table_open(DatabaseRelationId, AccessShareLock);
        TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
        for (HeapTuple tuple; HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection));) {
            auto *row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
            found = lappend_oid(found, row->oid);
            if (row->datallowconn && !row->datistemplate) connectable = lappend_oid(connectable, row->oid);
        }
        table_endscan(scan);
        table_close(relation, AccessShareLock);
    });
    for (int i = 0; i < list_length(found); i++) launcher->all.push_back(list_nth_oid(found, i));
    for (int i = 0; i < list_length(connectable); i++) launcher->databases.push_back(list_nth_oid(connectable, i));
    return false;
}

bool contains(const std::vector<Oid> &oids, Oid oid) { return std::find(oids.begin(), oids.end(), oid) != oids.end(); }

Watched &watch(Oid database)
{
    for (Watched &w : launcher->watched)
        if (w.database == database) return w;
    return launcher->watched.emplace_back(Watched{database, nullptr, false, 0});
}

/// False when there was no place for it.
bool start_steward(Watched &w)
{
    char name[BGW_MAXLEN];
    snprintf(name, sizeof(name), "orch steward of database %u", w.database);
    w.handle = start_process("orch steward", name, "orch_steward_main", ObjectIdGetDatum(w.database), nullptr, 0);
    w.not_before = shared::monotonic_us() + restart_us;
    if (w.handle) {
        launcher->short_of_places = false;
        w.probe = false;
        return true;
    }
    if (!launcher->short_of_places)
        pg::call_pg([] {
            ereport(LOG, (errmsg("orch: no place for a background worker; trying again every five seconds"),
                          errhint("Raise max_worker_processes: orch needs one for itself and one for each database.")));
        });
    launcher->short_of_places = true;
    return false;
}

void forget_dropped(const shared::DatabaseNote *notes, int count)
{
    for (int i = 0; i < count; i++)
        if (!contains(launcher->all, notes[i].oid)) shared::forget_database(notes[i].oid);
    std::erase_if(launcher->watched, [](const Watched &w) { return !w.handle && !contains(launcher->all, w.database); });
}

/// Starts what is missing. Returns how long to sleep, -1 for ever.
int64_t look_after_stewards()
{
    if (bare_turn("looking which databases there are", "the next wake-up looks again", read_databases) == TurnEnd::failed) return 5'000;
    shared::DatabaseNote notes[shared::max_databases];
    const int count = shared::database_notes(notes);
    forget_dropped(notes, count);
    const auto note_of = [&](Oid database) -> const shared::DatabaseNote * {
        for (int i = 0; i < count; i++)
            if (notes[i].oid == database) return &notes[i];
        return nullptr;
    };

    const int64_t now = shared::monotonic_us();
    int probing = 0;
    for (Watched &w : launcher->watched) {
        if (!w.handle) continue;
        if (is_running(w.handle)) {
            const shared::DatabaseNote *note = note_of(w.database);
            probing += !note || note->steward == 0;
            continue;
        }
        pfree(w.handle);
        w.handle = nullptr;
        const shared::DatabaseNote *note = note_of(w.database);
        if (!note || note->left_in_order || note->aside) w.not_before = now;
    }
    for (int i = 0; i < count; i++)
        if (notes[i].wants_steward) watch(notes[i].oid);

    int64_t wake_at = INT64_MAX;
    for (Watched &w : launcher->watched) {
        const shared::DatabaseNote *note = note_of(w.database);
        const bool wanted = w.probe || (note && note->wants_steward);
        if (w.handle || !wanted || (note && (note->aside || note->steward != 0)) || !contains(launcher->databases, w.database)) continue;
        if (w.not_before > now) {
            wake_at = std::min(wake_at, w.not_before);
            continue;
        }
        if (w.probe && probing >= probes_at_once) continue;  // the end of another one wakes us
        if (!start_steward(w)) return restart_us / 1000;
        probing++;
    }
    return wake_at == INT64_MAX ? -1 : std::max<int64_t>(1, (wake_at - now) / 1000);
}

void launcher_main(Datum)
{
    begin_worker(InvalidOid, InvalidOid);
    shared::become_launcher();
    launcher = new Launcher;
    bare_turn("noting the end of recovery", "a restart notes it", [](void *) {
        shared::note_end_of_recovery();
        return false;
    });
    bare_turn("looking which databases there are", "the next wake-up looks again", read_databases);
    for (const Oid database : launcher->databases) watch(database).probe = true;
    for (;;) {
        const int64_t stewards_ms = look_after_stewards(), notifier_ms = look_after_notifier();
        sleep_until_woken(stewards_ms < 0 || notifier_ms < 0 ? std::max(stewards_ms, notifier_ms) : std::min(stewards_ms, notifier_ms), "OrchLauncherMain");
    }
}

}  // namespace

void register_launcher()
{
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    // Not on a hot standby, and there it starts with the promotion.
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = 5;
    strlcpy(worker.bgw_library_name, "orch", BGW_MAXLEN);
    strlcpy(worker.bgw_function_name, "orch_launcher_main", BGW_MAXLEN);
    strlcpy(worker.bgw_name, "orch launcher", BGW_MAXLEN);
    strlcpy(worker.bgw_type, "orch launcher", BGW_MAXLEN);
    RegisterBackgroundWorker(&worker);
}

}  // namespace orch::background

extern "C" {
PGDLLEXPORT void orch_launcher_main(Datum argument) { orch::pg::guarded<orch::background::launcher_main>(argument); }
}
