// The journal of a workflow in code: what orch.record and orch.suspend add to it, and what a reopened run does again.
#include "core/grammar.hpp"
#include "core/state_changes.hpp"
#include "core/validation.hpp"
#include "engine/code_run.hpp"
#include "engine/inline_task.hpp"
#include "engine/progress.hpp"
#include "engine/route.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/update.hpp"
#include "shared/settings.hpp"

#include <set>

namespace orch::engine {

namespace {

using namespace core::task_state;
using core::Json;

// So far back an id is looked for, beyond the number of those that a call brings: what it brings again after a lost answer is at the end of the journal.
constexpr int tail_beyond = 32;
constexpr size_t longest_step_id = 200;

using Entry = JournalEntry;
using What = JournalEntry::What;

[[noreturn]] void refuse(size_t place, const std::string &what, const std::string &hint = {})
{
    throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "steps[" + std::to_string(place) + "] " + what, {}, hint};
}

bool is_remote(core::Executor executor)
{
    return executor == core::Executor::handler || executor == core::Executor::command || executor == core::Executor::callable ||
           executor == core::Executor::http;
}

bool may_be_started(core::Executor executor)
{
    using core::Executor;
    return is_remote(executor) || executor == Executor::sleep || executor == Executor::until || executor == Executor::signal ||
           executor == Executor::workflow || executor == Executor::approval;
}

std::optional<core::Executor> executor_of(const std::string &key)
{
    const auto words = core::executor_words();
    const auto found = std::find(words.begin(), words.end(), key);
    return found == words.end() ? std::nullopt : std::optional(static_cast<core::Executor>(found - words.begin()));
}

// The settings beside the executor, by the grammar of tasks.
void check_setting(size_t place, const std::string &key, const Json &value)
{
    const core::Field *field = core::find_field(core::task_fields(), key);
    if (!field || field->shape == core::Shape::not_yet || key == "when" || key == "dependencies" || key == "trigger_rule")
        refuse(place, "has the unknown key " + core::in_quotes(key));
    if (key == "circuit") {
        core::Findings findings(1);
        core::check_circuit(findings, core::Place{} / key, value);
        if (findings.count() > 0) refuse(place, "has a \"circuit\" that is none", "Write its name, or {name, failures, open_seconds, successes}.");
    }
    const bool number = value.is_number() && value.get<double>() >= field->least && value.get<double>() <= field->most;
    switch (field->shape) {
    case core::Shape::integer:
        if (!value.is_number_integer() || !number)
            refuse(place, "has " + core::in_quotes(key) + ": " + core::to_text(value).substr(0, 100) + ", which is out of range");
        break;
    case core::Shape::number:
        if (!number) refuse(place, "has " + core::in_quotes(key) + ": " + core::to_text(value).substr(0, 100) + ", which is out of range");
        break;
    case core::Shape::errors:
        if (!value.is_array()) refuse(place, "has " + core::in_quotes(key) + ", which must be a list");
        break;
    case core::Shape::id:
    case core::Shape::line:
        if (!value.is_string() || value.get_ref<const std::string &>().empty()) refuse(place, "has " + core::in_quotes(key) + ", which must be text");
        break;
    default: break;
    }
}

void read_started(Entry &entry, size_t place, const Version &version)
{
    auto parsed = core::parse(pg::json_text_of(entry.sent), {.max_bytes = SIZE_MAX, .exact_integers = false});
    Json &definition = std::get<Json>(parsed);
    std::optional<core::Executor> executor;
    for (const auto &[key, value] : definition.get_ref<const Json::object_t &>()) {
        if (const auto found = executor_of(key)) {
            if (executor) refuse(place, "has two executors");
            executor = found;
            if (!may_be_started(*found))
                refuse(place, "has the executor " + core::in_quotes(key) + ", which code cannot start",
                       "Use handler, command, callable, http, sleep, until, signal, approval or workflow.");
            if (*found == core::Executor::handler &&
                (!value.is_string() || value.get_ref<const std::string &>().empty() || value.get_ref<const std::string &>()[0] == ':'))
                refuse(place, "has no name of a handler");
        } else if (key != "id" && key != "seen" && key != "input") {
            check_setting(place, key, value);
        }
    }
    if (!executor) refuse(place, "has no executor, output, error nor tags");
    entry.input = pg::member(entry.sent, "input");
    if (entry.input && pg::is_json_null(*entry.input)) entry.input.reset();
    definition.erase("input");
    entry.item = pg::jsonb_datum(core::to_text(definition));
    entry.planned = core::compile_step(definition, version.task(main_task).queue);
}

Datum in_place_item(const Entry &entry)
{
    std::string text = R"({"id":)" + core::to_text(std::string_view(entry.id)) + R"(,"step":true)";
    if (!entry.update.empty()) text += (entry.answers ? R"(,"answer":)" : R"(,"update":)") + core::to_text(std::string_view(entry.update));
    if (entry.what == What::tags) text += R"(,"tags":)" + pg::json_text_of(*entry.result);
    if (entry.seen) text += R"(,"seen":)" + pg::json_text_of(*entry.seen);
    return pg::jsonb_datum(text + "}");
}

// What the code says of an update is a step in place that names it.
void read_update(Entry &entry, size_t place)
{
    const auto update = pg::member(entry.sent, "update"), answer = pg::member(entry.sent, "answer");
    if (!update && !answer) return;
    entry.answers = answer.has_value();
    entry.update = pg::text_member(entry.sent, answer ? "answer" : "update").value_or("");
    if (entry.update.empty() || (update && answer) || !(pg::member(entry.sent, "output") || pg::member(entry.sent, "error")))
        refuse(place, "is about an update, and must name it, with an output or an error");
}

Entry read_entry(Datum sent, size_t place, const Version &version)
{
    Entry entry;
    entry.sent = sent;
    if (!pg::is_object(sent)) refuse(place, "is not an object");
    entry.id = pg::text_member(sent, "id").value_or("");
    if (entry.id.empty() || entry.id.size() > longest_step_id) refuse(place, "has no id of 1 to " + std::to_string(longest_step_id) + " bytes");
    entry.seen = pg::member(sent, "seen");
    if (entry.seen) {
        const auto ids = pg::elements(*entry.seen);
        if (!ids) refuse(place, "has \"seen\", which must be a list of ids");
        if (ids->empty()) entry.seen.reset();
    }
    read_update(entry, place);
    if (auto output = pg::member(sent, "output")) {
        entry.result = output;
        if (const size_t size = pg::jsonb_size(*output); size > static_cast<size_t>(settings::max_result_bytes)) {
            Settlement large;
            large.status = SettleStatus::too_large;
            large.size = size;
            raise_refusal(large);
        }
    } else if (auto error = pg::member(sent, "error")) {
        if (!pg::is_object(*error)) refuse(place, "has an error that is no object");
        entry.what = What::failed;
        entry.result = error;
    } else if (auto tags = pg::member(sent, "tags")) {
        if (!pg::is_object(*tags)) refuse(place, "has tags that are no object");
        entry.what = What::tags;
        entry.result = tags;
    } else {
        entry.what = What::started;
        read_started(entry, place, version);
        return entry;
    }
    entry.item = in_place_item(entry);
    return entry;
}

struct OldEntry {
    int32 no;
    bool empty;  // an in-place step that is to be done again
};

// The newest rows of the journal by id, and the highest number.
std::map<std::string, OldEntry> read_tail(const RunId &run, size_t wanted, int32 &last)
{
    static pg::Statement select(
        "select t.task_no, t.item ->> 'id', t.state = 'p' and t.item ? 'step' from _orch.task_{} t where t.run_id = $1 and t.task_no > 0"
        " order by t.task_no desc limit $2",
        {UUIDOID, INT8OID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(Int64GetDatum(static_cast<int64>(wanted + tail_beyond))));
    std::map<std::string, OldEntry> tail;
    last = rows.empty() ? main_task : rows.int4(0, 1);
    for (uint64 i = 0; i < rows.count(); i++) tail.emplace(rows.text(i, 2), OldEntry{rows.int4(i, 1), rows.boolean(i, 3)});
    return tail;
}

// The same entry once more is passed over; another one of its id is an error of whoever counts them.
void require_same(const RunId &run, const Entry &entry, int32 no)
{
    static pg::Statement select(
        "select t.item, t.input, e.payload from _orch.task_{} t left join _orch.event_{} e on e.run_id = t.run_id and e.task_no = t.task_no"
        " and e.no = t.output_no where t.run_id = $1 and t.task_no = $2",
        {UUIDOID, INT4OID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(Int32GetDatum(no)));
    const auto equal = [](std::optional<Datum> a, std::optional<Datum> b) { return a && b ? pg::jsonb_equal(*a, *b) : !a && !b; };
    bool same = !rows.empty() && pg::jsonb_equal(rows.get(0, 1), entry.item);
    if (same && entry.what == What::started) same = equal(rows.maybe(0, 2), entry.input);
    if (same && entry.what != What::started) same = equal(rows.maybe(0, 3), entry.result);
    if (same) return;
    throw pg::error{pg::already_settled, "step " + core::in_quotes(entry.id) + " is in the journal with another content", "The first record of it stands.", {}};
}

std::string in_words(char state) { return std::string(core::task_state_name(state)); }

char state_of(const Entry &entry)
{
    if (entry.what == What::failed) return failed;
    if (entry.what != What::started) return succeeded;
    return is_remote(entry.planned.executor) ? ready : pending;
}

Datum row_facts(const Entry &entry, char state)
{
    std::string text = R"({"state":")" + in_words(state) + '"';
    if (entry.what != What::started) {
        text += R"(,"id":)" + core::to_text(std::string_view(entry.id));
        if (entry.seen) text += R"(,"seen":)" + pg::json_text_of(*entry.seen);
    }
    return pg::jsonb_datum(text + "}");
}

void insert_rows(Call &call, const CodeMain &main, const std::vector<Entry> &entries)
{
    static pg::Statement insert(
        "insert into _orch.task_{} (run_id, task_no, version_id, route_id, priority, state, ready_at, finished_at, no, output_no, flags, item, input)"
        " select $1, u.task_no, $2, nullif(u.route_id, 0), u.priority, u.state, case when u.state = 'y' then $3 end, case when u.state in ('S', 'F') then $3 "
        "end, 1,"
        "  case when u.state in ('S', 'F') then 1 end, $4, u.item, u.input"
        " from unnest($5::int4[], $6::int4[], $7::int2[], $8::\"char\"[], $9::jsonb[], $10::jsonb[]) u(task_no, route_id, priority, state, item, input)",
        {UUIDOID, INT4OID, TIMESTAMPTZOID, CHAROID, INT4ARRAYOID, INT4ARRAYOID, INT2ARRAYOID, CHARARRAYOID, JSONBARRAYOID, JSONBARRAYOID});
    pg::Column no(INT4OID), route(INT4OID), priority(INT2OID), letter(CHAROID), item(JSONBOID), input(JSONBOID);
    for (const Entry &e : entries) {
        if (e.fills) continue;
        const char state = main.ending && e.what == What::started ? pending : state_of(e);
        no.add(Int32GetDatum(e.no));
        const bool remote = e.what == What::started && is_remote(e.planned.executor);
        route.add(Int32GetDatum(remote ? route_id(route_names(*main.version, e.planned)) : 0));
        priority.add(Int16GetDatum(static_cast<int16>(main.priority + e.planned.priority)));
        letter.add(CharGetDatum(state));
        item.add(e.item);
        input.add(e.input);
        if (e.what == What::started) call.events().add({main.run, e.no, 1, EventKind::task_added, 0, call.role_actor(), e.sent, row_facts(e, state)});
        else call.events().add({main.run, e.no, 1, EventKind::step_recorded, 0, call.role_actor(), e.result, row_facts(e, state)});
    }
    if (no.empty()) return;
    insert.run_on(day_of(main.run), Parameters<10>()
                                        .add(pg::uuid_datum(main.run))
                                        .add(Int32GetDatum(main.version->version_id))
                                        .add(time_datum(call.now()))
                                        .add(CharGetDatum(main.flags))
                                        .add(no.array())
                                        .add(route.array())
                                        .add(priority.array())
                                        .add(letter.array())
                                        .add(item.array())
                                        .add(input.array()));
}

// Rows that a reopening has emptied: the step was done again.
void fill_row(Call &call, const CodeMain &main, const Entry &entry)
{
    static pg::Statement update(
        "update _orch.task_{} t set state = $3, no = t.no + 1, output_no = t.no + 1, finished_at = $4, item = $5 where t.run_id = $1 and t.task_no = $2"
        " returning t.no",
        {UUIDOID, INT4OID, CHAROID, TIMESTAMPTZOID, JSONBOID});
    const char state = state_of(entry);
    const pg::Rows rows = update.run_on(
        day_of(main.run),
        Parameters<5>().add(pg::uuid_datum(main.run)).add(Int32GetDatum(entry.no)).add(CharGetDatum(state)).add(time_datum(call.now())).add(entry.item));
    call.events().add({main.run, entry.no, rows.int4(0, 1), EventKind::step_recorded, 0, call.role_actor(), entry.result, row_facts(entry, state)});
}

// What the engine runs by itself, rows that are pending: timers, signals, children.
void start_in_engine(Call &call, const RunId &run, const Version &version, const std::vector<int32> &numbers)
{
    std::vector<Transition> transitions;
    std::map<int32, InlineResult> results;
    for (int32 no : numbers) {
        InlineResult r = start_inline(call, {run, no}, version, task_of(version, run, no), pending, 1);
        transitions.push_back(transition_of(call, {run, no}, pending, r));
        results.emplace(no, std::move(r));
    }
    apply(call, transitions);
    for (const Transition &t : transitions)
        if (t.applied) record_inline(call, version, t, results.at(t.task_no));
}

void cancel_at_once(Call &call, const RunId &run, const std::vector<int32> &numbers)
{
    std::vector<Transition> transitions;
    for (int32 no : numbers) {
        Transition t{run, no, pending, cancelled};
        t.events = EventKind::task_cancelled;
        t.finished_at = call.now();
        transitions.push_back(t);
    }
    apply(call, transitions);
    for (const Transition &t : transitions)
        if (t.applied) call.events().add({run, t.task_no, t.no, EventKind::task_cancelled, 0, call.engine_actor()});
}

void merge_tags(const RunId &run, Datum tags)
{
    static pg::Statement update("update _orch.run_{} set tags = coalesce(tags, jsonb_build_object()) || $2 where run_id = $1", {UUIDOID, JSONBOID});
    update.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(tags));
}

}  // namespace

bool wants_run_row(Datum steps)
{
    const auto elements = pg::elements(steps);
    if (!elements) return false;
    return std::any_of(elements->begin(), elements->end(),
                       [](Datum e) { return pg::is_object(e) && (pg::member(e, "tags") || pg::member(e, "signal") || pg::member(e, "workflow")); });
}

Journal read_entries(const CodeMain &main, Datum steps)
{
    const auto elements = pg::elements(steps);
    if (!elements) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "steps must be a JSON array", {}, "Write [{\"id\": \"name#1\", \"output\": ...}]."};
    std::vector<Entry> entries;
    entries.reserve(elements->size());
    for (size_t i = 0; i < elements->size(); i++) entries.push_back(read_entry((*elements)[i], i, *main.version));

    int32 last = main_task;
    const std::map<std::string, OldEntry> tail = read_tail(main.run, entries.size(), last);
    Journal journal;
    for (const auto &[id, old] : tail) journal.newest.emplace(id, old.no);
    std::set<std::string> here;
    for (Entry &entry : entries) {
        if (!here.insert(entry.id).second)
            throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "step " + core::in_quotes(entry.id) + " stands twice in one call", {}, {}};
        const auto old = tail.find(entry.id);
        entry.fills = old != tail.end() && old->second.empty && entry.what != What::started;
        if (old != tail.end() && !entry.fills) {
            require_same(main.run, entry, old->second.no);
            continue;
        }
        if (!entry.update.empty()) check_update_entry(main, entry, journal);
        entry.no = entry.fills ? old->second.no : ++last;
        journal.newest.emplace(entry.id, entry.no);
        journal.added.push_back(std::move(entry));
    }
    return journal;
}

void write_entries(Call &call, const CodeMain &main, const Journal &journal)
{
    if (journal.added.empty()) return;
    ForceSyncCommit();
    insert_rows(call, main, journal.added);
    std::vector<int32> in_engine, too_late;
    for (const Entry &e : journal.added) {
        if (e.fills) fill_row(call, main, e);
        if (!e.update.empty()) note_update_entry(main, e);
        if (e.what == What::tags) merge_tags(main.run, *e.result);
        if (e.what != What::started) continue;
        if (main.ending) too_late.push_back(e.no);
        else if (is_remote(e.planned.executor)) queue_ready(*main.version, {main.run, e.no}, call.now(), main.priority + e.planned.priority);
        else in_engine.push_back(e.no);
    }
    if (!in_engine.empty()) start_in_engine(call, main.run, *main.version, in_engine);
    if (!too_late.empty()) cancel_at_once(call, main.run, too_late);
}

// A failed run is tried again: its code goes through the journal once more, up to where it failed. What failed there, and what was cancelled when the run ended, is begun again;
// a failure that the code has gone on from is a part of its way. It has gone on where a later entry says that it saw the end; from a step in place where anything comes later.
void reopen_code_rows(Call &call, const RunId &run, const Version &version)
{
    static pg::Statement seen("select distinct s.id from _orch.task_{} t cross join lateral jsonb_array_elements_text(t.item -> 'seen') s(id)"
                              " where t.run_id = $1 and t.task_no > 0 and t.item ? 'seen'",
                              {UUIDOID});
    static pg::Statement select(
        "select t.task_no, t.state, t.item ->> 'id', t.item ? 'step', t.priority, t.item from _orch.task_{} t where t.run_id = $1 and t.task_no > 0"
        " and t.state in ('F', 'T', 'C') and not t.item ?| array['update', 'answer'] order by t.task_no desc for update",
        {UUIDOID});
    static pg::Statement highest("select t.task_no from _orch.task_{} t where t.run_id = $1 order by t.task_no desc limit 1", {UUIDOID});
    static pg::Statement update(
        "update _orch.task_{} t set state = $3, no = t.no + 1, attempts_before = attempt, output_no = null, finished_at = null, due_at = null, token = null,"
        " ready_at = case when $3 = 'y' then $4 else ready_at end where t.run_id = $1 and t.task_no = $2 returning t.no",
        {UUIDOID, INT4OID, CHAROID, TIMESTAMPTZOID});
    const auto id = Parameters<1>().add(pg::uuid_datum(run));
    std::set<std::string> known;
    pg::Rows rows = seen.run_on(day_of(run), id);
    for (uint64 i = 0; i < rows.count(); i++) known.insert(rows.text(i, 1));
    rows = highest.run_on(day_of(run), id);
    int32 end = rows.empty() ? 0 : rows.int4(0, 1);
    rows = select.run_on(day_of(run), id);
    std::vector<int32> in_engine;
    for (uint64 i = 0; i < rows.count(); i++) {
        const int32 no = rows.int4(i, 1);
        const bool in_place = rows.boolean(i, 4);
        if (in_place ? no != end : known.contains(rows.text(i, 3))) continue;
        if (in_place) end--;
        const core::PlannedTask &planned = task_of(version, run, no, rows.get(i, 6));
        const char to = !in_place && is_remote(planned.executor) ? ready : pending;
        const pg::Rows changed =
            update.run_on(day_of(run), Parameters<4>().add(pg::uuid_datum(run)).add(Int32GetDatum(no)).add(CharGetDatum(to)).add(time_datum(call.now())));
        call.events().add(
            {run, no, changed.int4(0, 1), EventKind::task_reopened, 0, call.role_actor(), {}, pg::jsonb_datum(R"({"state":")" + in_words(to) + "\"}")});
        if (to == ready) queue_ready(version, {run, no}, call.now(), rows.int2(i, 5));
        else if (!in_place) in_engine.push_back(no);
    }
    if (!in_engine.empty()) start_in_engine(call, run, version, in_engine);
}

}  // namespace orch::engine
