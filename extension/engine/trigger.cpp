#include "engine/trigger.hpp"

#include "core/problem.hpp"
#include "core/state_changes.hpp"
#include "engine/columns.hpp"
#include "engine/progress.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/run_ids.hpp"

namespace orch::engine {

namespace {

using Keys = std::span<const std::optional<std::string>>;

// From this many runs on, a trigger lowers its routes' cursors instead of queueing each task.
constexpr size_t bulk = 50'000;
// Counters are made for this many runs of one trigger; those of a larger one are told by advances.
constexpr size_t counted_runs = 1000;
constexpr int64 partitions_timeout_ms = 30'000;
constexpr int64 longest_timeout_us = INT64CONST(36'600) * USECS_PER_DAY;

void check(const TriggerOptions &options)
{
    require_primary("orch.trigger()");
    static constexpr std::string_view sources[] = {"manual", "api", "event", "continued"};
    if (!options.by_engine && std::find(std::begin(sources), std::end(sources), options.source) == std::end(sources))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "unknown source " + core::in_quotes(options.source),
                        "A caller states manual, api or event; the others are the engine's own.",
                        {}};
    if (options.priority < -most_priority || options.priority > most_priority)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "priority " + std::to_string(options.priority) + " is not between -1000 and 1000", {}, {}};
    if (options.timeout_us && (*options.timeout_us <= 0 || *options.timeout_us > longest_timeout_us))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "timeout must be more than zero and no more than 100 years", {}, {}};
    if (options.tags && !pg::is_object(*options.tags))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "tags must be a JSON object", {}, "Write them as {\"team\": \"billing\"}."};
    if (options.traceparent && options.traceparent->size() > 256)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "traceparent is longer than 256 bytes", {}, {}};
}

void check_key(const std::string &key)
{
    if (key.empty() || key.size() > 1000)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "an idempotency key has " + std::to_string(key.size()) + " bytes, not 1 to 1000", {}, {}};
}

struct Existing {
    RunId run;
    char state;
};

// The run that a key stands for, after checking that it was triggered with the same input.
Existing existing_run(int32 workflow_id, const std::string &key, Datum input)
{
    static pg::Statement select_key("select run_id from _orch.idempotency where workflow_id = $1 and key = $2", {INT4OID, TEXTOID});
    static pg::Statement select_run(
        "select r.state, e.payload from _orch.run_{} r join _orch.event_{} e on e.run_id = r.run_id and e.task_no = -1 and e.no = 1 where r.run_id = $1",
        {UUIDOID});

    pg::Rows rows = select_key.run(Parameters<2>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)));
    if (rows.empty())
        throw pg::error{ERRCODE_T_R_SERIALIZATION_FAILURE, "could not see the run of an idempotency key that was triggered concurrently",
                        "The transaction's snapshot is older than that run.", "Try the transaction again, or use READ COMMITTED."};
    const RunId run = pg::uuid_of(rows.get(0, 1));
    const auto gone = [&] { return pg::error{pg::unknown_run, "the run of idempotency key " + core::in_quotes(key) + " is gone", {}, "Use a new key."}; };
    if (!leaf_exists(day_of(run))) throw gone();
    rows = select_run.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) throw gone();
    std::optional<Datum> earlier = rows.maybe(0, 2);
    if (!earlier || !pg::jsonb_equal(*earlier, input))
        throw pg::error{pg::idempotency_conflict, "idempotency key " + core::in_quotes(key) + " was used with another input",
                        "It stands for run " + core::uuid_to_text(run) + ".", "Use a new key for new content, or the same content with this key."};
    return {run, rows.letter(0, 1)};
}

// A key lives as long as its run. Where that went with the leaf of its day, the key stands for the new run from now on.
bool take_over_key(int32 workflow_id, const std::string &key, const RunId &run)
{
    static pg::Statement select("select run_id from _orch.idempotency where workflow_id = $1 and key = $2", {INT4OID, TEXTOID});
    static pg::Statement update("update _orch.idempotency set run_id = $4 where workflow_id = $1 and key = $2 and run_id = $3 returning run_id",
                                {INT4OID, TEXTOID, UUIDOID, UUIDOID});
    pg::Rows rows = select.run(Parameters<2>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)));
    if (rows.empty()) return false;
    const RunId earlier = pg::uuid_of(rows.get(0, 1));
    if (leaf_exists(day_of(earlier))) return false;
    // Of two that find it gone one changes the row, and the other waits for that and gets the run.
    return !update.run(Parameters<4>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)).add(pg::uuid_datum(earlier)).add(pg::uuid_datum(run))).empty();
}

// Takes the keys for the runs of the same positions; returns which positions got theirs.
std::vector<bool> take_keys(int32 workflow_id, Keys keys, const std::vector<RunId> &runs)
{
    static pg::Statement insert("insert into _orch.idempotency (workflow_id, key, run_id)"
                                " select $1, u.key, u.run_id from unnest($2::text[], $3::uuid[]) u(key, run_id) order by u.key"
                                " on conflict do nothing returning run_id",
                                {INT4OID, TEXTARRAYOID, UUIDARRAYOID});
    std::vector<bool> taken(runs.size(), true);
    pg::Column key(TEXTOID), run(UUIDOID);
    for (size_t i = 0; i < keys.size(); i++) {
        if (!keys[i]) continue;
        check_key(*keys[i]);
        key.add(pg::text_datum(*keys[i]));
        run.add(runs[i]);
        taken[i] = false;
    }
    if (key.empty()) return taken;
    pg::Rows rows = insert.run(Parameters<3>().add(Int32GetDatum(workflow_id)).add(key.array()).add(run.array()));
    for (uint64 i = 0; i < rows.count(); i++)
        // Ids of one call are consecutive, so the position is the distance from the first.
        taken[core::uuid_sequence(pg::uuid_of(rows.get(i, 1))) - core::uuid_sequence(runs.front())] = true;
    for (size_t i = 0; i < keys.size(); i++)
        if (!taken[i]) taken[i] = take_over_key(workflow_id, *keys[i], runs[i]);
    return taken;
}

struct NewRuns {
    const Version &version;
    const TriggerOptions &options;
    std::vector<RunId> ids;
    std::vector<Datum> inputs;
    std::vector<std::optional<std::string>> keys;
    std::vector<char> states;
};

void insert_run_rows(Call &call, const NewRuns &runs, int day, size_t first, size_t last)
{
    namespace column = run_column;
    const TriggerOptions &o = runs.options;
    const double seconds = runs.version.plan.timeout_seconds;
    std::optional<Datum> run_at, deadline, timeout, parent_run, parent_task, traceparent;
    if (o.run_at) run_at = time_datum(*o.run_at);
    if (o.timeout_us) deadline = time_datum(call.now() + *o.timeout_us);
    else if (seconds > 0) deadline = time_datum(call.now() + static_cast<int64>(seconds * USECS_PER_SEC));
    if (o.timeout_us) timeout = Int64GetDatum(*o.timeout_us);
    if (o.parent) parent_run = pg::uuid_datum(o.parent->run), parent_task = Int32GetDatum(o.parent->task_no);
    if (o.traceparent) traceparent = pg::text_datum(*o.traceparent);
    const Datum tenant = pg::text_datum(runs.version.tenant), source = pg::text_datum(o.source);

    pg::NewRows rows = new_runs(day, last - first);
    for (size_t i = first; i < last; i++) {
        const char state = runs.states[i];
        pg::NewRow row = rows.next();
        row.set(column::run_id, runs.ids[i])
            .set(column::parent_run_id, parent_run)
            .set(column::created_at, time_datum(call.now()))
            .set(column::run_at, run_at)
            .set(column::timeout_us, timeout)
            .set(column::version_id, Int32GetDatum(runs.version.version_id))
            .set(column::no, Int32GetDatum(state == core::run_state::scheduled ? 1 : 2))
            .set(column::parent_task_no, parent_task)
            .set(column::priority, Int16GetDatum(static_cast<int16>(o.priority + runs.version.plan.priority)))
            .set(column::state, CharGetDatum(state))
            .set(column::tenant, tenant)
            .set(column::source, source)
            .set(column::tags, o.tags)
            .set(column::traceparent, traceparent);
        if (state == core::run_state::running) row.set(column::started_at, time_datum(call.now())).set(column::deadline_at, deadline);
        if (runs.keys[i]) row.set(column::idempotency_key, pg::text_datum(*runs.keys[i]));
    }
    rows.finish();
}

void insert_task_rows(Call &call, const NewRuns &runs, int day, size_t first, size_t last)
{
    namespace column = task_column;
    const Version &version = runs.version;
    pg::NewRows rows = new_tasks(day, (last - first) * version.task_count());
    for (size_t i = first; i < last; i++) {
        for (int32 t = 0; t < version.task_count(); t++) {
            const core::PlannedTask &task = version.task(t);
            const bool ready = runs.states[i] == core::run_state::running && task.parents.empty() && !task.is_finally && version.plain(t);
            pg::NewRow row = rows.next();
            row.set(column::run_id, runs.ids[i])
                .set(column::task_no, Int32GetDatum(t))
                .set(column::version_id, Int32GetDatum(version.version_id))
                .set(column::no, Int32GetDatum(0))
                .set(column::attempt, Int16GetDatum(0))
                .set(column::attempts_before, Int16GetDatum(0))
                .set(column::priority, Int16GetDatum(static_cast<int16>(runs.options.priority + version.plan.priority + task.priority)))
                .set(column::state, CharGetDatum(ready ? core::task_state::ready : core::task_state::pending))
                .set(column::flags, CharGetDatum(runs.options.traceparent ? '1' : '0'));
            if (version.route_ids[t] != 0) row.set(column::route_id, Int32GetDatum(version.route_ids[t]));
            if (ready) row.set(column::ready_at, time_datum(call.now()));
        }
    }
    rows.finish();
}

// What shared memory is to know of runs that start at once.
void announce_started(Call &call, const NewRuns &runs, const std::vector<size_t> &started)
{
    const Version &version = runs.version;
    bool needs_look = false;
    for (int32 t = 0; t < version.plan.main_count; t++) {
        const core::PlannedTask &task = version.task(t);
        if (!task.parents.empty()) continue;
        if (!version.plain(t)) {
            needs_look = true;
            continue;
        }
        if (started.size() >= bulk) {
            shared::on_commit_spilled(route_slot_of(version, t), runs.ids[started.front()], static_cast<int64>(started.size()));
            continue;
        }
        for (size_t i : started) queue_ready(version, {runs.ids[i], t}, call.now(), runs.options.priority + version.plan.priority + task.priority);
    }
    const bool timed = runs.options.timeout_us || version.plan.timeout_seconds > 0;
    const int64 timeout = runs.options.timeout_us ? *runs.options.timeout_us : static_cast<int64>(version.plan.timeout_seconds * USECS_PER_SEC);
    for (size_t i : started) {
        if (version.counted() && started.size() < counted_runs) shared::on_commit_counters(runs.ids[i], version.plan.main_count, version.plan.join_count);
        if (needs_look) shared::on_commit_advance({runs.ids[i], run_itself});
        if (timed) shared::on_commit_timer(call.now() + timeout, {runs.ids[i], run_itself}, shared::TimerKind::run_deadline);
    }
}

static_assert(core::first_run_state == core::run_state::scheduled);
static_assert(core::run_goes(core::first_run_state, core::run_state::running, EventKind::run_started));
static_assert(core::run_goes(core::first_run_state, core::run_state::queued, EventKind::run_queued));

void insert_runs(Call &call, NewRuns &runs)
{
    const TriggerOptions &o = runs.options;
    const bool later = o.run_at && *o.run_at > call.now();
    const int limit = runs.version.plan.max_active_runs;
    std::vector<size_t> started;
    // While the steward counts the active runs, nobody may take a place: the count would be too low, or never be done.
    if (limit > 0 && !later && shared::phase() != shared::Phase::unused) require_open();
    runs.states.resize(runs.ids.size());
    for (size_t i = 0; i < runs.ids.size(); i++) {
        if (later) {
            runs.states[i] = core::run_state::scheduled;
            shared::on_commit_timer(*o.run_at, {runs.ids[i], run_itself}, shared::TimerKind::run_at);
        } else if (limit > 0 && !shared::active_take(runs.version.workflow_id, limit)) {
            if (runs.version.plan.reject_when_full)
                throw pg::error{pg::limit_reached,
                                "workflow " + core::in_quotes(runs.version.workflow) + " has " + std::to_string(limit) +
                                    " active runs, as many as its max_active_runs allows",
                                {},
                                "Try again when one has ended, or register it with when_full: queue."};
            runs.states[i] = core::run_state::queued;
            queue_for_admission(runs.version, runs.ids[i], call.now(), o.priority + runs.version.plan.priority);
        } else {
            runs.states[i] = core::run_state::running;
            started.push_back(i);
        }
    }
    by_day(
        runs.ids, [](const RunId &id) { return day_of(id); },
        [&](int day, size_t first, size_t last) {
            insert_run_rows(call, runs, day, first, last);
            insert_task_rows(call, runs, day, first, last);
        });
    const Datum actor = o.actor ? *o.actor : o.parent ? call.engine_actor() : call.role_actor();
    for (size_t i = 0; i < runs.ids.size(); i++) {
        shared::on_commit_run_state('\0', runs.states[i]);
        call.events().add({runs.ids[i], run_itself, 1, EventKind::run_triggered, 0, actor, runs.inputs[i]});
        if (runs.states[i] == core::first_run_state) continue;
        const EventKind next = runs.states[i] == core::run_state::running ? EventKind::run_started : EventKind::run_queued;
        call.events().add({runs.ids[i], run_itself, 2, next, 0, call.engine_actor()});
    }
    announce_started(call, runs, started);
}

[[noreturn]] void raise_no_partitions()
{
    require_not_held();
    throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the partitions for new runs are not there yet",
                    "The steward, a background worker, makes them ahead of time.", "See orch.health and the server's log for why it does not run."};
}

}  // namespace

std::vector<Triggered> trigger(Call &call, std::string_view workflow, std::span<const Datum> inputs, Keys keys, const TriggerOptions &options)
{
    check(options);
    require_not_held();
    const Current current = current_version(options.tenant ? *options.tenant : call.tenant(), workflow, options.version);
    if (inputs.empty()) return {};
    if (!shared::partitions_ready() && !shared::wait_for_partitions(partitions_timeout_ms)) raise_no_partitions();

    std::vector<RunId> ids(inputs.size());
    ids[0] = shared::next_run_ids(static_cast<int>(inputs.size()));
    for (size_t i = 1; i < ids.size(); i++) ids[i] = shared::run_id_at(ids[0], static_cast<int>(i));

    const std::vector<bool> taken = take_keys(current.version->workflow_id, keys, ids);
    NewRuns runs{*current.version, options, {}, {}, {}, {}};
    std::vector<size_t> position;
    for (size_t i = 0; i < inputs.size(); i++) {
        if (!taken[i]) continue;
        runs.ids.push_back(ids[i]);
        runs.inputs.push_back(inputs[i]);
        runs.keys.push_back(keys.empty() ? std::nullopt : keys[i]);
        position.push_back(i);
    }
    if (!runs.ids.empty()) {
        insert_runs(call, runs);
        call.events().write();
        // Triggered is durable, whatever the session's synchronous_commit says.
        ForceSyncCommit();
    }
    std::vector<Triggered> result(inputs.size());
    for (size_t i = 0; i < position.size(); i++) result[position[i]] = {runs.ids[i], true, runs.states[i]};
    for (size_t i = 0; i < inputs.size(); i++)
        if (!taken[i]) {
            const Existing run = existing_run(current.version->workflow_id, *keys[i], inputs[i]);
            result[i] = {run.run, false, run.state};
        }
    return result;
}

Triggered trigger_version(Call &call, const Version &version, Datum input, const TriggerOptions &options)
{
    // The steward itself calls this, and makes them: it cannot wait for them.
    if (!shared::partitions_ready()) raise_no_partitions();
    NewRuns runs{version, options, {shared::next_run_ids(1)}, {input}, {std::nullopt}, {}};
    insert_runs(call, runs);
    ForceSyncCommit();
    return {runs.ids[0], true, runs.states[0]};
}

std::vector<RunId> trigger_versions(Call &call, const Version &version, std::span<const Datum> inputs, const TriggerOptions &options)
{
    if (!shared::partitions_ready()) raise_no_partitions();
    NewRuns runs{version, options, {}, {inputs.begin(), inputs.end()}, std::vector<std::optional<std::string>>(inputs.size()), {}};
    const RunId first = shared::next_run_ids(static_cast<int>(inputs.size()));
    for (size_t i = 0; i < inputs.size(); i++) runs.ids.push_back(shared::run_id_at(first, static_cast<int>(i)));
    insert_runs(call, runs);
    ForceSyncCommit();
    return runs.ids;
}

std::optional<Triggered> known_run(int32 workflow_id, const std::string &key)
{
    static pg::Statement select_key("select run_id from _orch.idempotency where workflow_id = $1 and key = $2", {INT4OID, TEXTOID});
    static pg::Statement select_state("select r.state from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    pg::Rows rows = select_key.run(Parameters<2>().add(Int32GetDatum(workflow_id)).add(pg::text_datum(key)));
    if (rows.empty()) return std::nullopt;
    const RunId run = pg::uuid_of(rows.get(0, 1));
    if (!leaf_exists(day_of(run))) return std::nullopt;
    rows = select_state.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return std::nullopt;
    return Triggered{run, false, rows.letter(0, 1)};
}

}  // namespace orch::engine
