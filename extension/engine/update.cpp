#include "engine/update.hpp"

#include "core/problem.hpp"
#include "core/state_changes.hpp"
#include "engine/run_look.hpp"
#include "engine/run_row.hpp"
#include "shared/run_ids.hpp"

namespace orch::engine {

namespace {

constexpr size_t longest_update_name = 1000;
constexpr size_t longest_update_id = 128;

Datum request(const std::string &name, const std::string &id, const std::optional<Datum> &input)
{
    std::string text = core::to_text(core::Json{{"update", name}, {"id", id}});
    if (input) text.insert(text.size() - 1, R"(,"input":)" + pg::json_text_of(*input));
    return pg::jsonb_datum(text);
}

// True where it is there, with this very content.
bool is_known(const RunId &run, const std::string &id, Datum wanted)
{
    static pg::Statement select("select e.payload from _orch.update_{} u join _orch.event_{} e on e.run_id = u.run_id and e.task_no = -1 and e.no = u.no"
                                " where u.run_id = $1 and u.update_id = $2",
                                {UUIDOID, TEXTOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(id)));
    if (rows.empty()) return false;
    if (pg::jsonb_equal(rows.get(0, 1), wanted)) return true;
    throw pg::error{pg::idempotency_conflict, "update " + core::in_quotes(id) + " of this run has another name or input", "The first one stands.",
                    "Use a new id for a new update."};
}

}  // namespace

std::string send_update(Call &call, const RunId &run, const std::string &name, std::optional<Datum> input, const std::optional<std::string> &given_id)
{
    static pg::Statement count("update _orch.run_{} set no = no + 1, asked = true where run_id = $1 returning no", {UUIDOID});
    static pg::Statement insert("insert into _orch.update_{} (run_id, update_id, no, name) values ($1, $2, $3, $4)", {UUIDOID, TEXTOID, INT4OID, TEXTOID});
    if (name.empty() || name.size() > longest_update_name)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the name of an update has " + std::to_string(name.size()) + " bytes, not 1 to 1000", {}, {}};
    if (given_id && (given_id->empty() || given_id->size() > longest_update_id))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the id of an update has " + std::to_string(given_id->size()) + " bytes, not 1 to 128", {}, {}};
    refuse_large("the input", input);
    require_open();
    const RunRow row = lock_run_row(call, run);
    require_code(run, version_of(row.version_id));
    std::string id = given_id.value_or(core::uuid_to_text(shared::next_run_ids(1)));
    const Datum details = request(name, id, input);
    if (is_known(run, id, details)) return id;
    if (core::is_final(row.state))
        throw pg::error{pg::wrong_state, "run " + core::uuid_to_text(run) + " is over", "It " + std::string(core::run_state_name(row.state)) + ".", {}};
    ForceSyncCommit();
    const int32 no = count.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run))).int4(0, 1);
    insert.run_on(day_of(run), Parameters<4>().add(pg::uuid_datum(run)).add(pg::text_datum(id)).add(Int32GetDatum(no)).add(pg::text_datum(name)));
    call.events().add({run, run_itself, no, EventKind::update_sent, 0, call.role_actor(), details});
    wake_for_update(call, run);
    return id;
}

std::vector<OpenUpdate> open_updates(const RunId &run)
{
    static pg::Statement select("select u.update_id, u.name, e.payload -> 'input' from _orch.update_{} u"
                                " join _orch.event_{} e on e.run_id = u.run_id and e.task_no = -1 and e.no = u.no"
                                " where u.run_id = $1 and u.taken_by is null order by u.no",
                                {UUIDOID});
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    std::vector<OpenUpdate> open;
    for (uint64 i = 0; i < rows.count(); i++) open.push_back({rows.text(i, 1), rows.text(i, 2), rows.maybe(i, 3)});
    return open;
}

bool any_open_update(const RunId &run)
{
    static pg::Statement select("select 1 from _orch.update_{} u where u.run_id = $1 and u.taken_by is null limit 1", {UUIDOID});
    return !select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run))).empty();
}

void check_update_entry(const CodeMain &main, const JournalEntry &entry, const Journal &before)
{
    static pg::Statement select("select u.taken_by is not null, u.answered_by is not null from _orch.update_{} u where u.run_id = $1 and u.update_id = $2",
                                {UUIDOID, TEXTOID});
    const pg::Rows rows = select.run_on(day_of(main.run), Parameters<2>().add(pg::uuid_datum(main.run)).add(pg::text_datum(entry.update)));
    bool taken = !rows.empty() && rows.boolean(0, 1), answered = !rows.empty() && rows.boolean(0, 2);
    for (const JournalEntry &e : before.added)
        if (e.update == entry.update) (e.answers ? answered : taken) = true;
    const bool fits = !rows.empty() && (entry.answers ? taken && !answered : !taken);
    if (!fits)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "step " + core::in_quotes(entry.id) + " is about an update " + core::in_quotes(entry.update) + " that does not want it",
                        {},
                        "An update is accepted or refused once, and answered once when it was accepted."};
}

void note_update_entry(const CodeMain &main, const JournalEntry &entry)
{
    static pg::Statement take("update _orch.update_{} set taken_by = $3 where run_id = $1 and update_id = $2", {UUIDOID, TEXTOID, INT4OID});
    static pg::Statement answer("update _orch.update_{} set answered_by = $3 where run_id = $1 and update_id = $2", {UUIDOID, TEXTOID, INT4OID});
    (entry.answers ? answer : take)
        .run_on(day_of(main.run), Parameters<3>().add(pg::uuid_datum(main.run)).add(pg::text_datum(entry.update)).add(Int32GetDatum(entry.no)));
    if (entry.answers || entry.what == JournalEntry::What::failed) shared::on_commit_told(main.run);
}

UpdateLook look_at_update(Call &call, const RunId &run, const std::string &id)
{
    // What it came to: its answer, or what refused it.
    static pg::Statement select("select t.state, (select e.payload from _orch.event_{} e where e.run_id = t.run_id and e.task_no = t.task_no and e.no = "
                                "t.output_no), u.answered_by is not null"
                                " from _orch.update_{} u left join _orch.task_{} t on t.run_id = u.run_id and t.task_no = coalesce(u.answered_by, u.taken_by)"
                                " where u.run_id = $1 and u.update_id = $2",
                                {UUIDOID, TEXTOID});
    const RunLook look = look_at_run(call, run);
    const pg::Rows rows = select.run_on(day_of(run), Parameters<2>().add(pg::uuid_datum(run)).add(pg::text_datum(id)));
    if (rows.empty())
        throw pg::error{pg::unknown_run, "run " + core::uuid_to_text(run) + " has no update " + core::in_quotes(id), {}, "See orch.updates for those it has."};
    UpdateLook update{UpdateState::open, {}, std::string(core::run_state_name(look.state))};
    const bool failed = !rows.is_null(0, 1) && rows.letter(0, 1) == core::task_state::failed;
    if (failed || rows.boolean(0, 3)) {
        update.state = failed ? UpdateState::failed : UpdateState::completed;
        if (const auto result = rows.maybe(0, 2)) update.result = pg::json_text_of(*result);
    } else if (core::is_final(look.state)) {
        update.state = UpdateState::abandoned;
    }
    return update;
}

}  // namespace orch::engine
