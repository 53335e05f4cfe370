// The steward's life:
//   look        is the extension here, and are its rows ours? absent: leave. held: wait to be woken. nothing defined yet: wait, unless somebody asks for partitions.
//   rebuild     phase `rebuilding`: nothing is leased while rows are read into memory; then `open`
//   work        advances, timers, leases that expired, refusals, partitions, runners: a turn each, only when shared memory says that there is something
//   sleep       on the latch, until the next timer or lease; no statement runs while nothing is due
// It leaves when told to step aside (DROP DATABASE and its like) or when the extension is gone; the launcher starts it again. An error in a turn costs that turn and a growing pause.
#include "background/runners.hpp"
#include "background/turn.hpp"
#include "engine/installation.hpp"
#include "engine/upkeep.hpp"
#include "pg/session.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/hints.hpp"
#include "shared/launching.hpp"
#include "shared/run_ids.hpp"
#include "shared/settings.hpp"
#include "shared/transaction.hpp"
#include "shared/upkeep.hpp"

namespace orch::background {

namespace {

using engine::Standing;
using shared::Phase;

constexpr int at_once = 200;
constexpr int64_t partitions_every_us = int64_t{6} * 3600 * 1'000'000;
constexpr int64_t longest_pause_ms = 60'000;
constexpr const char *after_error = "it is tried again after a pause";

struct Steward {
    Standing standing = Standing::absent;
    Oid extension = InvalidOid;
    int64_t pause_ms = 0;            // after failures in a row: 1 s, doubled up to a minute
    int64_t partitions_at = 0;       // monotonic: when they are made ahead again
    int64_t runners_at = INT64_MAX;  // monotonic: when runners are looked at again without a request
    int sql_workers = 0;             // as they were allowed when runners were last looked at
    bool look = true;                // whether the standing must be found out again
    NameData database{};
};

[[noreturn]] void leave()
{
    shared::leave_in_order();
    // 0: the postmaster forgets the worker; the launcher decides whether there is another one.
    proc_exit(0);
}

bool find_standing(void *argument)
{
    auto &steward = *static_cast<Steward *>(argument);
    steward.standing = engine::standing();
    steward.extension = pg::extension_oid();
    pg::call_pg([&] {
        if (const char *name = get_database_name(MyDatabaseId)) namestrcpy(&steward.database, name);
    });
    return false;
}

/// False when the turn failed; then a pause follows.
bool succeeded(Steward &steward, TurnEnd end)
{
    if (end == TurnEnd::absent) steward.look = true;
    if (end != TurnEnd::failed) {
        steward.pause_ms = 0;
        return true;
    }
    steward.pause_ms = std::clamp<int64_t>(steward.pause_ms * 2, 1'000, longest_pause_ms);
    return false;
}

bool do_turn(Steward &steward, const char *doing, Work work) { return succeeded(steward, turn(doing, after_error, work, &steward)); }

/// Sleeps off a pause whatever wakes us, but not an order to leave.
void sit_out(int64_t pause_ms)
{
    const int64_t until = shared::monotonic_us() + pause_ms * 1000;
    for (;;) {
        const int64_t left = until - shared::monotonic_us();
        if (left <= 0 || shared::told_to_leave()) return;
        sleep_until_woken(left / 1000 + 1, "OrchStewardPause");
    }
}

/// Finds out where this database stands. Leaves when the extension is not here.
bool look_around(Steward &steward)
{
    steward.standing = Standing::absent;
    if (!succeeded(steward, turn("looking for the extension", after_error, find_standing, &steward))) return false;
    if (steward.standing != Standing::absent) {
        steward.look = false;
        return true;
    }
    if (!shared::has_slot()) leave();
    // First say that none is wanted, then look again: a CREATE EXTENSION that commits in between asks anew, and wins.
    shared::set_wants_steward(false);
    if (!succeeded(steward, turn("looking for the extension", after_error, find_standing, &steward))) return false;
    if (steward.standing == Standing::absent) {
        shared::set_phase(Phase::closed);
        shared::set_built_for(InvalidOid);
        leave();
    }
    steward.look = false;
    return true;
}

bool make_partitions(Steward &steward)
{
    TurnEnd end;
    do end = turn("making partitions", after_error, [](void *) { return engine::make_partitions(); });
    while (end == TurnEnd::more);
    if (!succeeded(steward, end)) return false;
    steward.partitions_at = shared::monotonic_us() + partitions_every_us;
    // Tells those who wait for them: the commit itself only stored the bounds.
    const shared::PartitionBounds bounds = shared::partitions();
    shared::partitions_set(bounds.first_ms, bounds.end_ms);
    return true;
}

bool rebuild(Steward &steward)
{
    shared::set_phase(Phase::rebuilding);
    const bool done = do_turn(steward, "reading active runs into shared memory", [](void *) {
        engine::rebuild();
        return false;
    });
    if (!done) {
        shared::set_phase(Phase::closed);
        return false;
    }
    shared::set_built_for(steward.extension);
    // Triggers need partitions more than leases need to be open.
    const bool made = make_partitions(steward);
    shared::set_phase(Phase::open);
    return made;
}

void hold(Standing standing)
{
    shared::set_phase(Phase::held);
    const char *why = standing == Standing::copied ? "Its rows were made in another cluster or database."
                                                   : "It was restored from a backup, or promoted where orch.hold_on_promotion was on.";
    turn(
        "telling that this database is held", "it is held all the same",
        [](void *why) {
            pg::call_pg([&] {
                const char *name = get_database_name(MyDatabaseId);
                ereport(LOG, (errmsg("orch: database \"%s\" is held, and nothing runs in it", name ? name : "?"),
                              errdetail("%s", static_cast<const char *>(why)), errhint("%s", engine::held_hint)));
            });
            return false;
        },
        const_cast<char *>(why));
}

/// Brings the phase to what the standing asks for. True when the database is open and the steward may work.
bool settle_phase(Steward &steward)
{
    const bool wanted = shared::take_partitions_request();
    const Phase phase = shared::phase();
    switch (steward.standing) {
    case Standing::copied:
    case Standing::restored:
        if (phase != Phase::held) hold(steward.standing);
        return false;
    case Standing::unused:
        // A workflow that is being registered and triggered in one transaction cannot be seen yet, but its trigger waits for partitions.
        if (!wanted && phase != Phase::open) {
            if (phase != Phase::unused) shared::set_phase(Phase::unused);
            return false;
        }
        break;
    default: break;
    }
    if (phase == Phase::open && shared::built_for() == steward.extension) {
        if ((wanted || shared::monotonic_us() >= steward.partitions_at) && !make_partitions(steward)) {
            if (wanted) shared::partitions_request();
            return false;
        }
        return true;
    }
    if (rebuild(steward)) return true;
    if (wanted) shared::partitions_request();
    return false;
}

/// What shared memory says is waiting, a turn each; what is left shows up again at the next look.
bool do_chores(Steward &steward, const shared::Chores &chores)
{
    if (chores.advances && !do_turn(steward, "advancing runs", [](void *) { return engine::advance_some(at_once); })) return false;
    if (chores.timers && !do_turn(steward, "firing timers", [](void *) { return engine::fire_timers(at_once); })) return false;
    if (chores.leases && !do_turn(steward, "taking back expired leases", [](void *) { return engine::reap_leases(at_once); })) return false;
    if (chores.refusals && !do_turn(steward, "recording refused settles", [](void *) { return engine::record_refusals(at_once); })) return false;
    if (chores.fallbacks && !do_turn(steward, "ending tasks by their fallback", [](void *) { return engine::fall_back(at_once); })) return false;
    const auto write_uses = [](void *) {
        engine::write_token_uses();
        return false;
    };
    if (chores.uses && !do_turn(steward, "writing when tokens were used", write_uses)) return false;
    const auto sweep = [](void *) {
        shared::take_sweep();
        engine::sweep();
        return false;
    };
    const auto rescan = [](void *) {
        engine::rescan_timers();
        return false;
    };
    if (chores.sweep && !do_turn(steward, "looking at every active run", sweep)) return false;
    return !chores.rescan || do_turn(steward, "reading timers from their rows", rescan);
}

void look_for_runners(Steward &steward, bool wanted)
{
    const bool ended = runners_ended();
    const int64_t now = shared::monotonic_us();
    if (!wanted && !ended && now < steward.runners_at && settings::sql_workers == steward.sql_workers) return;
    steward.sql_workers = settings::sql_workers;
    shared::take_runners();
    const int64_t again_ms = look_after_runners();
    steward.runners_at = again_ms < 0 ? INT64_MAX : now + again_ms * 1000;
}

/// One look at everything; returns how long to sleep afterwards, 0 for not at all, -1 until woken.
int64_t look(Steward &steward)
{
    shared::upkeep();
    steward.look |= shared::take_recheck() || shared::phase() != Phase::open;
    if (steward.look && !look_around(steward)) return 0;
    if (!settle_phase(steward)) return steward.pause_ms > 0 || !shared::sleep_until_poked() ? 0 : -1;

    int64_t sleep_ms = -1;
    const shared::Chores chores = shared::chores(sleep_ms);
    look_for_runners(steward, chores.runners);
    if (chores.any()) {
        do_chores(steward, chores);
        return 0;
    }
    const int64_t own = std::min(steward.partitions_at, steward.runners_at) - shared::monotonic_us();
    const int64_t own_ms = std::max<int64_t>(0, own / 1000 + 1);
    // A timer goes by the wall clock, which may jump while we sleep: once a minute it is looked at again, in memory.
    return std::min(sleep_ms < 0 ? own_ms : std::min<int64_t>(sleep_ms, 60'000), own_ms);
}

void steward_main(Datum argument)
{
    begin_worker(DatumGetObjectId(argument), InvalidOid);
    Steward steward;
    // Without the extension nothing is put into shared memory, so that databases without it take no slot.
    if (!look_around(steward)) pg::call_pg([] { proc_exit(1); });      // 1: an error; the launcher tries again after its pause
    if (!shared::become_steward()) pg::call_pg([] { proc_exit(0); });  // 0: another one is alive
    shared::set_wants_steward(true);
    shared::set_database_name(NameStr(steward.database));
    for (;;) {
        if (shared::told_to_leave()) leave();
        const int64_t sleep_ms = look(steward);
        if (steward.pause_ms > 0) sit_out(steward.pause_ms);
        else if (sleep_ms != 0) sleep_until_woken(sleep_ms, "OrchStewardMain");
        else pg::call_pg([] { CHECK_FOR_INTERRUPTS(); });
    }
}

}  // namespace

}  // namespace orch::background

extern "C" {
PGDLLEXPORT void orch_steward_main(Datum argument) { orch::pg::guarded<orch::background::steward_main>(argument); }
}
