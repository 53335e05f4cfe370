#include "engine/notify.hpp"

#include "core/definition.hpp"
#include "core/encoding.hpp"
#include "core/lease_text.hpp"
#include "core/webhook.hpp"
#include "engine/audit.hpp"
#include "engine/register.hpp"
#include "engine/settle.hpp"
#include "engine/task_of.hpp"
#include "engine/trigger.hpp"
#include "pg/hmac.hpp"

extern "C" {
#include "utils/inval.h"
}

namespace orch::engine {

namespace {

// Half a day of tries: whoever was away for a night gets what happened meanwhile.
constexpr const char *notification_spec =
    R"({"id": "orch.notification", "name": "Notification", "description": "Sends an event to an address that orch.notify_on named. The engine starts it.",)"
    R"( "tasks": {"deliver": {"handler": "orch.notify", "queue": "orch.notifications", "retries": 20, "retry_delay_seconds": 5,)"
    R"( "retry_backoff": "exponential", "retry_max_delay_seconds": 3600, "timeout_seconds": 60}}})";

constexpr int64 epoch_shift_seconds = INT64CONST(946'684'800);  // PostgreSQL counts from 2000

std::string moment_text(TimestampTz at) { return core::rfc3339(at + epoch_shift_seconds * USECS_PER_SEC); }

struct Subscription {
    int32 id;
    std::string tenant, name;
    std::optional<std::string> workflow;
    int16 events;
};

constinit Oid watched_table = InvalidOid;
constinit bool watching = false;
constinit bool subscriptions_known = false;

void forget_subscriptions(Datum, Oid relation)
{
    if (!OidIsValid(relation) || relation == watched_table) subscriptions_known = false;
}

Oid notification_table()
{
    Oid table = InvalidOid;
    pg::call_pg([&] { table = get_relname_relid("notification", get_namespace_oid("_orch", false)); });
    return table;
}

const std::vector<Subscription> &subscriptions()
{
    static pg::Statement select("select n.notification_id, n.tenant, n.name, n.workflow, n.events from _orch.notification n order by n.notification_id", {});
    static auto *known = new std::vector<Subscription>;
    // An old snapshot may not show what was committed since: what it shows is not kept.
    if (subscriptions_known && !IsolationUsesXactSnapshot()) return *known;
    if (!watching) {
        pg::call_pg([] { CacheRegisterRelcacheCallback(forget_subscriptions, static_cast<Datum>(0)); });
        watching = true;
    }
    watched_table = notification_table();
    // Set before the rows are read: a change that is told of meanwhile clears it.
    subscriptions_known = !IsolationUsesXactSnapshot();
    known->clear();
    const pg::Rows rows = select.run(Parameters<1>());
    for (uint64 i = 0; i < rows.count(); i++)
        known->push_back(
            {rows.int4(i, 1), rows.text(i, 2), rows.text(i, 3), rows.is_null(i, 4) ? std::nullopt : std::optional(rows.text(i, 4)), rows.int2(i, 5)});
    return *known;
}

void subscriptions_changed()
{
    const Oid table = notification_table();
    pg::call_pg([&] { CacheInvalidateRelcacheByRelid(table); });
}

using Told = EventBatch::ToldOutside;

int16 bit_of(const Told &told) { return core::notified_event_of(told.dead_letter ? int16(0) : static_cast<int16>(told.kind))->bit; }

std::map<RunId, const Version *> versions_of(std::vector<Told> &told)
{
    static pg::Statement select("select r.run_id, r.version_id from _orch.run_{} r where r.run_id = any($1)", {UUIDARRAYOID});
    std::stable_sort(told.begin(), told.end(), [](const Told &a, const Told &b) { return a.run < b.run; });
    std::map<RunId, const Version *> versions;
    by_day(
        told, [](const Told &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column ids(UUIDOID);
            for (size_t i = first; i < last; i++)
                if (i == first || told[i].run != told[i - 1].run) ids.add(told[i].run);
            const pg::Rows rows = select.run_on(day, Parameters<1>().add(ids.array()));
            for (uint64 i = 0; i < rows.count(); i++) versions[pg::uuid_of(rows.get(i, 1))] = &version_of(rows.int4(i, 2));
        });
    return versions;
}

struct Wanted {
    const Subscription *by;
    const Told *told;
    const Version *version;
};

Datum input_of_delivery(Call &call, const Wanted &wanted)
{
    core::Json input{{"notification", wanted.by->name},
                     {"event", core::notified_event_of(wanted.told->dead_letter ? int16(0) : static_cast<int16>(wanted.told->kind))->name},
                     {"run_id", core::uuid_to_text(wanted.told->run)},
                     {"workflow", wanted.version->workflow},
                     {"at", moment_text(call.now())}};
    if (wanted.told->dead_letter) {
        input["task_id"] = task_of(*wanted.version, wanted.told->run, wanted.told->task_no).id;
        input["dead_letter"] = wanted.told->dead_letter;
    }
    return pg::jsonb_datum(core::to_text(input));
}

void start_deliveries(Call &call, const std::string &tenant, const std::vector<Wanted> &wanted)
{
    static pg::Statement insert("insert into _orch.delivery (run_id, notification_id, about, event_no, kind, dead_letter, workflow, at)"
                                " select u.run_id, u.notification_id, u.about, u.event_no, u.kind, nullif(u.dead_letter, 0), u.workflow, $8"
                                " from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::int4[], $5::int2[], $6::int8[], $7::text[])"
                                " u(run_id, notification_id, about, event_no, kind, dead_letter, workflow)",
                                {UUIDARRAYOID, INT4ARRAYOID, UUIDARRAYOID, INT4ARRAYOID, INT2ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID});
    const Version *own = find_version(tenant, notification_workflow);
    if (!own) return;
    std::vector<Datum> inputs;
    for (const Wanted &w : wanted) inputs.push_back(input_of_delivery(call, w));
    TriggerOptions options;
    options.source = "notification";
    options.by_engine = true;
    options.actor = call.engine_actor();
    const std::vector<RunId> runs = trigger_versions(call, *own, inputs, options);
    pg::Column run(UUIDOID), notification(INT4OID), about(UUIDOID), no(INT4OID), kind(INT2OID), letter(INT8OID), workflow(TEXTOID);
    for (size_t i = 0; i < wanted.size(); i++) {
        run.add(runs[i]);
        notification.add(Int32GetDatum(wanted[i].by->id));
        about.add(wanted[i].told->run);
        no.add(Int32GetDatum(wanted[i].told->no));
        kind.add(Int16GetDatum(wanted[i].told->dead_letter ? int16(0) : static_cast<int16>(wanted[i].told->kind)));
        letter.add(Int64GetDatum(wanted[i].told->dead_letter));
        workflow.add(pg::text_datum(wanted[i].version->workflow));
    }
    Parameters<8> parameters;
    parameters.add(run.array()).add(notification.array()).add(about.array()).add(no.array()).add(kind.array()).add(letter.array()).add(workflow.array());
    insert.run(parameters.add(time_datum(call.now())));
}

void require_notification(const NotificationDefinition &d)
{
    if (!core::is_identifier(d.name))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                        "a notification cannot be called " + core::in_quotes(d.name),
                        {},
                        "A name has 1 to 128 letters, digits and _ - . / + :, first a letter, digit or _."};
    if (!core::origin_of_url(d.url))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the url is no http or https address",
                        "It has at most 2,048 printable ASCII characters, and names no user.", "Write it as https://host/path."};
    if (d.events.empty()) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "a notification needs at least one event", {}, {}};
}

int16 events_from(const std::vector<std::string> &names)
{
    int16 bits = 0;
    for (const std::string &name : names) {
        const core::NotifiedEvent *event = core::notified_event_from(name);
        if (!event)
            throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE,
                            "unknown event " + core::in_quotes(name),
                            {},
                            "Events are run_succeeded, run_failed, run_timed_out, run_cancelled and dead_letter."};
        bits = static_cast<int16>(bits | event->bit);
    }
    return bits;
}

// What an error says of itself; its detail and traceback stay here, since they may hold anything.
core::Json told_error(Datum error)
{
    core::Json told = core::Json::object();
    for (const char *key : {"class", "code", "message"})
        if (const auto text = pg::text_member(error, key)) told[key] = *text;
    return told;
}

struct Facts {
    core::Json data;
    std::string traceparent;
};

void add_run_facts(Facts &facts, const RunId &run, bool error)
{
    static pg::Statement select(
        "select v.version, r.created_at, r.started_at, r.finished_at, r.traceparent, r.source,"
        " (select e.payload from _orch.event_{} e where e.run_id = r.run_id and e.task_no = -1 and e.kind in (8, 9, 10) order by e.no desc limit 1)"
        " from _orch.run_{} r join _orch.version v on v.version_id = r.version_id where r.run_id = $1",
        {UUIDOID});
    if (!leaf_exists(day_of(run))) return;
    const pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (rows.empty()) return;
    facts.data["version"] = rows.int4(0, 1);
    facts.data["source"] = rows.text(0, 6);
    facts.data["created_at"] = moment_text(rows.time(0, 2));
    if (!rows.is_null(0, 3)) facts.data["started_at"] = moment_text(rows.time(0, 3));
    if (error && !rows.is_null(0, 4)) facts.data["finished_at"] = moment_text(rows.time(0, 4));
    if (!rows.is_null(0, 5)) facts.traceparent = rows.text(0, 5);
    if (error && !rows.is_null(0, 7)) facts.data["error"] = told_error(rows.get(0, 7));
}

void add_dead_letter_facts(Facts &facts, int64 id)
{
    static pg::Statement select("select d.run_id, d.task_no, d.attempt, d.fingerprint, d.error from _orch.dead_letter d where d.id = $1", {INT8OID});
    static pg::Statement version("select r.version_id from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    facts.data["dead_letter"] = id;
    const pg::Rows rows = select.run(Parameters<1>().add(Int64GetDatum(id)));
    if (rows.empty()) return;
    const RunId run = pg::uuid_of(rows.get(0, 1));
    facts.data["attempts"] = rows.int2(0, 3);
    facts.data["fingerprint"] = rows.text(0, 4);
    if (!rows.is_null(0, 5)) facts.data["error"] = told_error(rows.get(0, 5));
    if (!leaf_exists(day_of(run))) return;
    const pg::Rows of_run = version.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    if (!of_run.empty()) facts.data["task_id"] = task_of(version_of(of_run.int4(0, 1)), run, rows.int4(0, 2)).id;
}

}  // namespace

void notify_outside(Call &call)
{
    std::vector<Told> told = call.events().take_told_outside();
    if (told.empty()) return;
    const std::vector<Subscription> &all = subscriptions();
    if (all.empty()) return;
    int16 asked = 0;
    for (const Subscription &s : all) asked = static_cast<int16>(asked | s.events);
    std::erase_if(told, [&](const Told &t) { return !(bit_of(t) & asked); });
    if (told.empty()) return;

    const std::map<RunId, const Version *> versions = versions_of(told);
    std::map<std::string, std::vector<Wanted>> by_tenant;
    for (const Told &t : told) {
        const auto found = versions.find(t.run);
        if (found == versions.end() || found->second->workflow == notification_workflow) continue;
        for (const Subscription &s : all)
            if ((s.events & bit_of(t)) && s.tenant == found->second->tenant && (!s.workflow || *s.workflow == found->second->workflow))
                by_tenant[s.tenant].push_back({&s, &t, found->second});
    }
    for (const auto &[tenant, wanted] : by_tenant) start_deliveries(call, tenant, wanted);
}

Secret secret_from(const std::optional<std::string> &given)
{
    if (!given) {
        const std::string made = std::string(core::secret_prefix) + core::base64(pg::random_bytes());
        return {made, made};
    }
    const auto bytes = core::secret_bytes(*given);
    if (!bytes || bytes->size() < core::shortest_secret || given->size() > core::longest_secret)
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "a secret has 16 to 500 bytes",
                        "What begins with whsec_ goes on with base64, and stands for the bytes of that.", "Leave it out, and one is made and shown once."};
    return {*given, std::nullopt};
}

std::optional<std::string> notify_on(Call &call, const NotificationDefinition &d)
{
    static pg::Statement upsert(
        "insert into _orch.notification as n (tenant, name, workflow, events, url, secret, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, "
        "$8)"
        " on conflict (tenant, name) do update set workflow = excluded.workflow, events = excluded.events, url = excluded.url, secret = excluded.secret",
        {TEXTOID, TEXTOID, TEXTOID, INT2OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID});
    require_notification(d);
    const int16 events = events_from(d.events);
    const Secret secret = secret_from(d.secret);
    const std::string tenant = call.tenant();
    if (d.workflow) current_version(tenant, *d.workflow, std::nullopt);
    register_own(call, pg::jsonb_datum(notification_spec));
    Parameters<8> parameters;
    parameters.add(pg::text_datum(tenant)).add(pg::text_datum(d.name)).add(d.workflow ? std::optional(pg::text_datum(*d.workflow)) : std::nullopt);
    parameters.add(Int16GetDatum(events)).add(pg::text_datum(d.url)).add(pg::text_datum(secret.stored)).add(time_datum(call.now()));
    upsert.run(parameters.add(pg::text_datum(deed_name(call.caller()))));
    subscriptions_changed();
    audit(call, {.action = "notify_on", .tenant = tenant, .workflow = d.workflow, .details = {{"notification", d.name}, {"events", d.events}}});
    return secret.made;
}

bool drop_notification(Call &call, const std::string &name)
{
    static pg::Statement remove("delete from _orch.notification where tenant = $1 and name = $2 returning notification_id", {TEXTOID, TEXTOID});
    static pg::Statement deliveries("delete from _orch.delivery where notification_id = $1", {INT4OID});
    const pg::Rows rows = remove.run(Parameters<2>().add(pg::text_datum(call.tenant())).add(pg::text_datum(name)));
    if (rows.empty()) return false;
    deliveries.run(Parameters<1>().add(Int32GetDatum(rows.int4(0, 1))));
    subscriptions_changed();
    audit(call, {.action = "drop_notification", .tenant = call.tenant(), .details = {{"notification", name}}});
    return true;
}

std::optional<Outgoing> delivery_of(Call &call, const std::string &lease_text)
{
    static pg::Statement select("select n.url, n.secret, n.tenant, d.about, d.event_no, d.kind, d.dead_letter, d.workflow, d.at"
                                " from _orch.delivery d join _orch.notification n on n.notification_id = d.notification_id where d.run_id = $1",
                                {UUIDOID});
    const auto lease = core::decode_lease(lease_text);
    std::optional<std::string> tenant = call.tenant();
    if (*tenant == all_tenants) tenant.reset();
    if (!lease || !leaf_exists(day_of(lease->run_id)) || !still_running({lease->run_id, lease->task_no}, static_cast<int64>(lease->token), tenant))
        throw pg::error{pg::lease_lost, "the lease is lost", "What is to be sent is told to whoever holds the lease.", {}};
    const pg::Rows rows = select.run(Parameters<1>().add(pg::uuid_datum(lease->run_id)));
    if (rows.empty()) return std::nullopt;

    const RunId about = pg::uuid_of(rows.get(0, 4));
    const std::string about_text = core::uuid_to_text(about), type(core::notified_event_of(rows.int2(0, 6))->name);
    const bool is_letter = !rows.is_null(0, 7);
    Facts facts{{{"run_id", about_text}, {"workflow", rows.text(0, 8)}}, {}};
    if (!is_letter) facts.data["state"] = type.substr(std::string_view("run_").size());
    add_run_facts(facts, about, !is_letter);
    if (is_letter) add_dead_letter_facts(facts, rows.int8(0, 7));
    const std::string body =
        core::cloud_event_text({about_text + (is_letter ? ":dead_letter:" + std::to_string(rows.int8(0, 7)) : ":" + std::to_string(rows.int4(0, 5))), type,
                                rows.text(0, 3), rows.text(0, 8), about_text, moment_text(rows.time(0, 9)), facts.data});

    const std::string id = core::uuid_to_text(lease->run_id), stamp = std::to_string(call.now() / USECS_PER_SEC + epoch_shift_seconds);
    const pg::Sha256 hash = pg::hmac_sha256(core::secret_bytes(rows.text(0, 2)).value_or(""), {id, ".", stamp, ".", body});
    core::Json headers{{"content-type", "application/cloudevents+json; charset=utf-8"},
                       {"webhook-id", id},
                       {"webhook-timestamp", stamp},
                       {"webhook-signature", "v1," + core::base64(hash)}};
    if (!facts.traceparent.empty()) headers["traceparent"] = facts.traceparent;
    return Outgoing{rows.text(0, 1), pg::jsonb_datum(core::to_text(headers)), body};
}

}  // namespace orch::engine
