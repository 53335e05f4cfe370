#include "engine/replay.hpp"

#include "core/problem.hpp"
#include "engine/document.hpp"
#include "pg/cursor.hpp"

#include <set>

namespace orch::engine {

namespace {

constexpr int64 fetched_at_once = 5000;
// A task whose parents are over becomes ready at the steward's next look at its run: later than this, nobody looks.
constexpr int64 look_due_us = 10 * USECS_PER_SEC;

using core::Replayed;

// The rows of a leaf in the order of runs, read beside other such streams.
class Stream {
public:
    explicit Stream(const std::string &query) : cursor_(query) { fetch(); }

    bool at(const RunId &id) const { return !over() && run() == id; }
    bool over() const { return rows_.empty(); }
    RunId run() const { return pg::uuid_of(rows_.get(row_, 1)); }

    int16 int2(int column) const { return rows_.int2(row_, column); }
    int32 int4(int column) const { return rows_.int4(row_, column); }
    int64 int8(int column) const { return rows_.int8(row_, column); }
    char letter(int column) const { return rows_.letter(row_, column); }
    TimestampTz time(int column) const { return rows_.time(row_, column); }
    std::string text(int column) const { return rows_.text(row_, column); }

    void next()
    {
        if (++row_ == rows_.count()) fetch();
    }
    void close() { cursor_.close(); }

private:
    void fetch()
    {
        rows_ = cursor_.next(fetched_at_once);
        row_ = 0;
    }

    pg::Cursor cursor_;
    pg::Rows rows_;
    uint64 row_ = 0;
};

struct StoredRun {
    RunId id;
    const Version *version;
    char state;
    int32 events;
};

struct StoredTask {
    int32 task_no;
    Replayed row;
};

struct History {
    struct Event {
        int64 pos;
        core::RecordedEvent event;
    };
    std::vector<Event> events;
    TimestampTz last_at = 0;

    std::vector<core::RecordedEvent> in_order()
    {
        std::sort(events.begin(), events.end(), [](const Event &a, const Event &b) { return a.pos < b.pos; });
        std::vector<core::RecordedEvent> plain;
        plain.reserve(events.size());
        for (const Event &e : events) plain.push_back(e.event);
        return plain;
    }
};

class Comparison {
public:
    Comparison(const std::function<void(const Difference &)> &report, const StoredRun &run, const core::ReplayedRun &replayed, bool look_is_due)
        : report_(report), run_(run), replayed_(replayed), look_is_due_(look_is_due)
    {
    }

    void all(const std::vector<StoredTask> &tasks)
    {
        differ({}, "state", word(core::run_state_name, run_.state), word(core::run_state_name, replayed_.run.state));
        differ({}, "events", run_.events, replayed_.run.events);
        for (const core::Contradiction &c : replayed_.contradictions) differ(name(c.task_no), "history", {}, c.text);
        std::vector<bool> there(replayed_.tasks.size());
        for (const StoredTask &t : tasks) {
            if (t.task_no < 0 || t.task_no >= static_cast<int32>(there.size()) || replayed_.tasks[t.task_no].state == 0) {
                differ(name(t.task_no), "row", "there", {});
                continue;
            }
            there[t.task_no] = true;
            task(t);
        }
        for (size_t t = 0; t < there.size(); t++)
            if (!there[t] && replayed_.tasks[t].state != 0) differ(name(static_cast<int32>(t)), "row", {}, "there");
    }

private:
    void task(const StoredTask &stored)
    {
        const Replayed &replayed = replayed_.tasks[stored.task_no];
        const std::optional<std::string> id = name(stored.task_no);
        if (look_is_due_ || !core::differ_by_a_look(stored.row.state, replayed.state))
            differ(id, "state", word(core::task_state_name, stored.row.state), word(core::task_state_name, replayed.state));
        differ(id, "events", stored.row.events, replayed.events);
        differ(id, "output_no", stored.row.output_no, replayed.output_no);
        differ(id, "attempt", stored.row.attempt, replayed.attempt);
        differ(id, "attempts_before", stored.row.attempts_before, replayed.attempts_before);
    }

    static std::string word(std::string_view (*name)(char), char state)
    {
        const std::string_view known = name(state);
        return known.empty() && state ? std::string(1, state) : std::string(known);
    }

    std::optional<std::string> name(int32 task_no) const
    {
        if (task_no == run_itself) return std::nullopt;
        if (task_no < 0 || task_no >= run_.version->task_count()) return std::to_string(task_no);
        return run_.version->task(task_no).id;
    }

    void differ(const std::optional<std::string> &task, std::string_view what, int stored, int replayed)
    {
        if (stored != replayed) report_({run_.id, task, what, std::to_string(stored), std::to_string(replayed)});
    }
    void differ(const std::optional<std::string> &task, std::string_view what, const std::string &stored, const std::string &replayed)
    {
        if (stored != replayed) report_({run_.id, task, what, stored, replayed});
    }

    const std::function<void(const Difference &)> &report_;
    const StoredRun &run_;
    const core::ReplayedRun &replayed_;
    const bool look_is_due_;
};

void compare_leaf(Call &call, int day, const RunId &from, std::optional<TimestampTz> since, const std::function<void(const Difference &)> &report)
{
    const std::string name = pg::day_name(day), bound = " where x.run_id >= '" + core::uuid_to_text(from) + "' order by x.run_id", tenant = call.tenant();
    Stream runs("select x.run_id, x.version_id, x.state, x.no, x.tenant, x.created_at from _orch.run_" + name + " x" + bound);
    Stream tasks("select x.run_id, x.task_no, x.state, x.no, coalesce(x.output_no, 0), x.attempt, x.attempts_before from _orch.task_" + name + " x" + bound +
                 ", x.task_no");
    Stream events(
        "select x.run_id, x.task_no, x.no, x.kind, x.pos, x.at, case when x.kind in (62, 63, 67) then x.facts ->> 'state' else '' end from _orch.event_" +
        name + " x" + bound + ", x.task_no, x.no");
    // Tasks and events of runs without a row of their own: no key forbids them.
    const auto skip_strays = [&](const RunId *up_to) {
        std::set<RunId> told;
        for (Stream *stream : {&tasks, &events})
            for (; !stream->over() && (!up_to || stream->run() < *up_to); stream->next())
                if (told.insert(stream->run()).second) report({stream->run(), {}, "row", {}, "there"});
    };
    std::vector<StoredTask> rows;
    for (; !runs.over(); runs.next()) {
        const RunId id = runs.run();
        skip_strays(&id);
        rows.clear();
        for (; tasks.at(id); tasks.next()) rows.push_back({tasks.int4(2), {tasks.letter(3), tasks.int4(4), tasks.int4(5), tasks.int2(6), tasks.int2(7)}});
        History history;
        for (; events.at(id); events.next()) {
            history.events.push_back({events.int8(5), {events.int4(2), events.int4(3), events.int2(4), core::task_state_from(events.text(7))}});
            history.last_at = std::max(history.last_at, events.time(6));
        }
        if (runs.text(5) != tenant || (since && runs.time(6) < *since)) continue;
        const StoredRun run{id, &version_of(runs.int4(2)), runs.letter(3), runs.int4(4)};
        const core::ReplayedRun replayed = core::replay(run.version->plan, history.in_order());
        const bool look_is_due = core::is_final(run.state) || history.last_at + look_due_us < call.now();
        Comparison(report, run, replayed, look_is_due).all(rows);
    }
    skip_strays(nullptr);
    events.close();
    tasks.close();
    runs.close();
}

// The first id that a run triggered at that moment could have.
RunId first_id(TimestampTz since)
{
    constexpr int64 epoch_us = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
    return core::compose_uuid_v7(static_cast<uint64>(std::max<int64>((since + epoch_us) / 1000, 0)), 0, 0);
}

// As orch.result has it: what the definition asks for, else the outputs of the tasks that nothing depends on.
Datum output_of_leaves(const Version &version, const core::ReplayedRun &replayed, const std::function<std::optional<Datum>(int32, int32)> &payload)
{
    if (version.is_code()) return payload(0, replayed.tasks[0].output_no).value_or(pg::jsonb_datum("null"));
    std::string text;
    for (int32 t = 0; t < version.plan.main_count; t++) {
        if (!version.task(t).children.empty() || replayed.tasks[t].state != core::task_state::succeeded) continue;
        const std::optional<Datum> output = payload(t, replayed.tasks[t].output_no);
        text += (text.empty() ? "" : ",") + core::to_text(std::string_view(version.task(t).id)) + ":" + (output ? pg::json_text_of(*output) : "null");
    }
    return pg::jsonb_datum("{" + text + "}");
}

}  // namespace

std::vector<RebuiltRow> rebuild(const RunLook &run)
{
    static pg::Statement select(
        "select e.task_no, e.no, e.kind, e.payload, case when e.kind in (62, 63, 67) then e.facts ->> 'state' else '' end,"
        " case e.kind when 62 then e.payload ->> 'id' when 63 then e.facts ->> 'id' end from _orch.event_{} e where e.run_id = $1 order by e.pos",
        {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run.id), Parameters<1>().add(pg::uuid_datum(run.id)));
    std::vector<core::RecordedEvent> events;
    std::map<std::pair<int32, int32>, Datum> payloads;
    std::map<int32, std::string> made;  // ids of what code added
    for (uint64 i = 0; i < rows.count(); i++) {
        events.push_back({rows.int4(i, 1), rows.int4(i, 2), rows.int2(i, 3), core::task_state_from(rows.text(i, 5))});
        if (!rows.is_null(i, 6)) made.emplace(rows.int4(i, 1), rows.text(i, 6));
        if (auto payload = rows.maybe(i, 4)) payloads.emplace(std::pair(rows.int4(i, 1), rows.int4(i, 2)), *payload);
    }
    const auto payload = [&](int32 task_no, int32 no) -> std::optional<Datum> {
        const auto found = payloads.find({task_no, no});
        return found == payloads.end() ? std::nullopt : std::optional(found->second);
    };

    const Version &version = *run.version;
    const core::ReplayedRun replayed = core::replay(version.plan, events);
    std::vector<RebuiltRow> result;
    result.reserve(replayed.tasks.size() + 1);
    const auto add = [&](std::optional<std::string> id, std::string_view state, std::optional<int32> attempt, int32 task_no, const Replayed &row) {
        const std::optional<Datum> told = payload(task_no, row.output_no);
        const bool good = row.state == core::task_state::succeeded;
        const bool bad = !good && row.state != core::task_state::skipped;
        result.push_back({std::move(id), state, attempt, good ? told : std::nullopt, bad ? told : std::nullopt});
    };
    static_assert(core::task_state::succeeded == core::run_state::succeeded);
    add(std::nullopt, core::run_state_name(replayed.run.state), std::nullopt, run_itself, replayed.run);
    if (replayed.run.state == core::run_state::succeeded && !result[0].output) result[0].output = output_of_leaves(version, replayed, payload);
    for (int32 t = 0; t < version.task_count(); t++)
        add(version.task(t).id, core::task_state_name(replayed.tasks[t].state), replayed.tasks[t].attempt, t, replayed.tasks[t]);
    for (const auto &[t, id] : made)
        if (t >= version.task_count()) add(id, core::task_state_name(replayed.tasks[t].state), replayed.tasks[t].attempt, t, replayed.tasks[t]);
    return result;
}

void compare_with_events(Call &call, std::optional<TimestampTz> since, const std::function<void(const Difference &)> &report)
{
    if (since && TIMESTAMP_IS_NOEND(*since)) return;
    if (since && TIMESTAMP_IS_NOBEGIN(*since)) since.reset();
    const RunId from = since ? first_id(*since) : RunId{};
    for (int day : leaf_days())
        if (day >= day_of(from)) compare_leaf(call, day, from, since, report);
}

}  // namespace orch::engine
