#include "engine/settle.hpp"

#include "core/state_changes.hpp"
#include "engine/circuits.hpp"
#include "engine/code_run.hpp"
#include "engine/columns.hpp"
#include "engine/progress.hpp"
#include "engine/question.hpp"
#include "engine/refusals.hpp"
#include "engine/task_of.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

struct Row {
    char state;
    int16 attempt;
    std::optional<int64> token;
    int32 worker_id;
    std::optional<Datum> payload;
};

using Index = std::map<TaskRef, std::vector<Settlement *>>;

LeaseKey key_of(const Settlement &s) { return {s.lease->run_id, s.lease->task_no, s.lease->attempt, static_cast<int64>(s.lease->token)}; }

// An error that is too large must not keep the attempt from ending: its size is told instead.
Datum bounded_error(Datum error)
{
    const size_t size = pg::jsonb_size(error);
    if (size <= static_cast<size_t>(settings::max_result_bytes)) return error;
    const std::string error_class = pg::text_member(error, "class").value_or("unknown");
    return error_json(error_class, pg::text_member(error, "code").value_or(""),
                      "an error of " + std::to_string(size) + " bytes was left out, more than orch.max_result_bytes");
}

bool too_large(Settlement &s)
{
    if (!s.output) return false;
    s.size = pg::jsonb_size(*s.output);
    return s.size > static_cast<size_t>(settings::max_result_bytes);
}

// Nobody settles for another tenant, nor leaves a word in its history.
bool is_foreign(const Call &call, const WorkerIdentity *worker, const Version &version)
{
    return worker ? !worker->tenant.empty() && worker->tenant != version.tenant : version.tenant != call.tenant();
}

// The row that is running under that very lease becomes succeeded; where there is none, the settlement is judged later.
void settle_success(Call &call, const WorkerIdentity *worker, pg::KeptRows &rows, Settlement &s, std::vector<Succeeded> &done)
{
    static_assert(core::task_goes(core::task_state::running, core::task_state::succeeded, EventKind::task_succeeded));
    namespace column = task_column;
    const core::Lease &lease = *s.lease;
    const TaskRef ref{lease.run_id, lease.task_no};
    int32 no = 0;
    do {
        if (!rows.find(ref.run, ref.task_no)) return;
        if (DatumGetChar(rows.get(column::state)) != core::task_state::running || DatumGetInt16(rows.get(column::attempt)) != lease.attempt) return;
        if (rows.is_null(column::token) || DatumGetInt64(rows.get(column::token)) != static_cast<int64>(lease.token)) return;
        if (worker && (rows.is_null(column::worker_id) || DatumGetInt32(rows.get(column::worker_id)) != worker->worker_id)) return;
        no = DatumGetInt32(rows.get(column::no)) + 1;
        rows.set(column::state, CharGetDatum(core::task_state::succeeded));
        rows.set(column::no, Int32GetDatum(no));
        rows.set(column::output_no, Int32GetDatum(no));
        rows.set(column::finished_at, time_datum(call.now()));
        rows.set_null(column::due_at);
    } while (!rows.change_or_wait());
    s.status = SettleStatus::ok;
    call.events().add({ref.run, ref.task_no, no, EventKind::task_succeeded, DatumGetInt16(rows.get(column::attempt)),
                       worker ? call.worker_actor(worker->name) : call.role_actor(), s.output, s.facts});
    const Version &version = version_of(DatumGetInt32(rows.get(column::version_id)));
    // This transaction is rolled back with what it changed.
    if (is_foreign(call, worker, version)) {
        s.status = SettleStatus::lost;
        s.foreign = true;
        raise_refusal(s);
    }
    const std::optional<Datum> item = rows.maybe(column::item);
    tell_circuit(version, ref, core::CircuitOutcome::success, item);
    shared::on_commit_timing(shared::Timing::attempt, version.tenant, task_of(version, ref.run, ref.task_no, item).queue,
                             call.now() - DatumGetTimestampTz(rows.get(column::started_at)));
    shared::on_commit_unlease(ref, static_cast<int64>(lease.token));
    done.push_back({ref.run, &version, ref.task_no});
}

std::vector<Succeeded> settle_successes(Call &call, const WorkerIdentity *worker, std::vector<Settlement *> &successes)
{
    std::sort(successes.begin(), successes.end(), [](const Settlement *a, const Settlement *b) {
        return std::tie(a->lease->run_id, a->lease->task_no) < std::tie(b->lease->run_id, b->lease->task_no);
    });
    std::vector<Succeeded> done;
    by_day(
        successes, [](const Settlement *s) { return day_of(s->lease->run_id); },
        [&](int day, size_t first, size_t last) {
            pg::KeptRows rows = kept_tasks(day);
            for (size_t i = first; i < last; i++) settle_success(call, worker, rows, *successes[i], done);
            rows.finish();
        });
    return done;
}

void settle_failures(Call &call, const WorkerIdentity *worker, const std::vector<Settlement *> &failures)
{
    std::vector<LeaseKey> keys;
    std::map<TaskRef, Settlement *> by_task;
    for (Settlement *s : failures) {
        keys.push_back(key_of(*s));
        by_task[{s->lease->run_id, s->lease->task_no}] = s;
    }
    std::vector<EndedAttempt> ended;
    for (const Attempt &a : lock_attempts(std::move(keys), false)) {
        Settlement &s = *by_task[{a.run, a.task_no}];
        if ((worker && a.worker_id != worker->worker_id) || is_foreign(call, worker, version_of(a.version_id))) continue;
        s.status = SettleStatus::ok;
        shared::LeaseState held;
        const bool stopped = shared::lease_of({a.run, a.task_no}, held) && held.cancel;
        ended.push_back({a, s.skips ? HowEnded::skipped : HowEnded::failed, bounded_error(*s.error), s.retry, stopped, false,
                         worker ? call.worker_actor(worker->name) : call.role_actor(), s.facts});
    }
    end_attempts(call, ended);
    for (const EndedAttempt &e : ended)
        shared::on_commit_unlease({e.attempt.run, e.attempt.task_no}, static_cast<int64>(by_task[{e.attempt.run, e.attempt.task_no}]->lease->token));
}

// Why a result was not taken, by the row as it is now.
SettleStatus status_by_row(const Settlement &s, const Row &row, const WorkerIdentity *worker)
{
    using namespace core::task_state;
    if (!row.token || *row.token != static_cast<int64>(s.lease->token) || row.attempt != s.lease->attempt) return SettleStatus::lost;
    if (worker && row.worker_id != worker->worker_id) return SettleStatus::not_yours;
    switch (row.state) {
    case cancelled: return SettleStatus::cancelled;
    case succeeded: {
        if (s.error) return SettleStatus::conflict;
        const bool same = s.output && row.payload ? pg::jsonb_equal(*s.output, *row.payload) : !s.output && !row.payload;
        return same ? SettleStatus::duplicate : SettleStatus::conflict;
    }
    case failed:
    case timed_out:
    case skipped: return s.error && row.payload && pg::jsonb_equal(*s.error, *row.payload) ? SettleStatus::duplicate : SettleStatus::conflict;
    case scheduled:
        // The failure that was reported with this lease is waiting for its retry; what it said stands in the event before.
        return s.error ? SettleStatus::duplicate : SettleStatus::conflict;
    default: return SettleStatus::lost;
    }
}

void classify(const Call &call, const Index &open, const WorkerIdentity *worker)
{
    static pg::Statement select("select t.run_id, t.task_no, t.state, t.attempt, t.token, coalesce(t.worker_id, 0), e.payload, t.version_id"
                                " from unnest($1::uuid[], $2::int4[]) u(run_id, task_no)"
                                " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no"
                                " left join _orch.event_{} e on e.run_id = t.run_id and e.task_no = t.task_no and e.no = t.output_no",
                                {UUIDARRAYOID, INT4ARRAYOID});
    std::vector<TaskRef> tasks;
    for (const auto &[task, settlements] : open) tasks.push_back(task);
    by_day(
        tasks, [](const TaskRef &t) { return day_of(t.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID);
            for (size_t i = first; i < last; i++) {
                run.add(tasks[i].run);
                task_no.add(Int32GetDatum(tasks[i].task_no));
            }
            pg::Rows rows = select.run_on(day, Parameters<2>().add(run.array()).add(task_no.array()));
            for (uint64 i = 0; i < rows.count(); i++) {
                Row row{rows.letter(i, 3), rows.int2(i, 4), {}, rows.int4(i, 6), rows.maybe(i, 7)};
                const bool foreign = is_foreign(call, worker, version_of(rows.int4(i, 8)));
                if (auto token = rows.maybe(i, 5)) row.token = DatumGetInt64(*token);
                for (Settlement *s : open.at({pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2)})) {
                    s->foreign = foreign;
                    s->status = foreign ? SettleStatus::lost : status_by_row(*s, row, worker);
                }
            }
        });
}

}  // namespace

bool is_foreign_lease(const Call &call, const WorkerIdentity *worker, const core::Lease &lease)
{
    static pg::Statement select("select r.version_id from _orch.run_{} r where r.run_id = $1", {UUIDOID});
    if (!leaf_exists(day_of(lease.run_id))) return false;
    const pg::Rows rows = select.run_on(day_of(lease.run_id), Parameters<1>().add(pg::uuid_datum(lease.run_id)));
    return !rows.empty() && is_foreign(call, worker, version_of(rows.int4(0, 1)));
}

std::string_view status_word(SettleStatus status)
{
    static constexpr std::string_view words[] = {"ok", "duplicate", "conflict", "not_yours", "lost", "cancelled", "too_large", "invalid", "go_on"};
    return words[static_cast<size_t>(status)];
}

shared::Refusal refusal_of(const Settlement &settlement, std::string_view worker)
{
    shared::Refusal refusal{{settlement.lease->run_id, settlement.lease->task_no}, settlement.lease->attempt, {}, {}, 0};
    status_word(settlement.status).copy(refusal.status, sizeof refusal.status - 1);
    worker.copy(refusal.worker, sizeof refusal.worker - 1);
    return refusal;
}

void refuse_large(std::string_view what, const std::optional<Datum> &value)
{
    const size_t size = value ? pg::jsonb_size(*value) : 0;
    if (size > static_cast<size_t>(settings::max_result_bytes))
        throw pg::error{pg::result_too_large,
                        std::string(what) + " has " + std::to_string(size) + " bytes, more than orch.max_result_bytes (" +
                            std::to_string(settings::max_result_bytes) + ")",
                        {},
                        "Store it elsewhere and give a reference, or raise orch.max_result_bytes."};
}

void raise_refusal(const Settlement &s)
{
    pg::error e{pg::lease_lost, "the lease is lost", "The task was given to another worker, released, or its run was reopened.",
                "Roll back what was done under this lease."};
    switch (s.status) {
    case SettleStatus::conflict: e = {pg::already_settled, "the task was settled otherwise with this lease", "The first result stands.", {}}; break;
    case SettleStatus::not_yours: e = {pg::not_your_lease, "the lease belongs to another worker", {}, {}}; break;
    case SettleStatus::cancelled: e = {pg::wrong_state, "the task was cancelled", {}, "Roll back what was done under this lease."}; break;
    case SettleStatus::too_large:
        e = {pg::result_too_large,
             "the output has " + std::to_string(s.size) + " bytes, more than orch.max_result_bytes (" + std::to_string(settings::max_result_bytes) + ")",
             {},
             "Store it elsewhere and return a reference, or raise orch.max_result_bytes."};
        break;
    default: break;
    }
    if (s.lease && !s.foreign && !is_question({s.lease->run_id, s.lease->task_no})) {
        // This transaction is about to roll back: the steward writes the refusal into the history.
        shared::refuse(refusal_of(s, {}));
    }
    throw e;
}

Datum skip_reason(const std::optional<std::string> &reason)
{
    constexpr size_t most = 2000;
    std::string text = reason.value_or("");
    size_t length = std::min(text.size(), most);
    while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0u) == 0x80u) length--;
    text.resize(length);
    return pg::jsonb_datum(core::to_text(reason ? core::Json{{"reason", text}} : core::Json::object()));
}

std::vector<Settlement> settlements_of(Datum results)
{
    auto elements = pg::elements(results);
    if (!elements) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "results must be a JSON array", {}, "Write [{\"lease\": ..., \"output\": ...}]."};
    std::vector<Settlement> settlements;
    settlements.reserve(elements->size());
    for (Datum element : *elements) {
        Settlement s;
        auto lease = pg::text_member(element, "lease");
        if (!lease) {
            if (auto sent = pg::member(element, "lease"); sent && !pg::is_json_null(*sent)) s.lease_text = pg::json_text_of(*sent);
            s.status = SettleStatus::invalid;
            settlements.push_back(std::move(s));
            continue;
        }
        s.lease_text = std::move(*lease);
        s.lease = core::decode_lease(s.lease_text);
        s.error = pg::member(element, "error");
        if (s.error && pg::is_json_null(*s.error)) s.error.reset();
        if (auto skip = pg::member(element, "skip"); !s.error && skip && !pg::is_json_null(*skip) && pg::bool_member(element, "skip") != false) {
            s.skips = true;
            s.error = skip_reason(pg::text_member(element, "skip"));
        }
        if (!s.error) s.output = pg::member(element, "output");
        s.retry = pg::bool_member(element, "retry");
        s.suspend = pg::member(element, "suspend");
        s.steps = pg::member(element, "steps");
        settlements.push_back(std::move(s));
    }
    return settlements;
}

std::vector<Attempt> lock_attempts(std::vector<LeaseKey> keys, bool skip_locked)
{
#define LOCK_ATTEMPTS(how)                                                                                                 \
    "select t.run_id, t.task_no, t.version_id, t.no, coalesce(t.worker_id, 0), t.attempt, t.attempts_before, t.started_at" \
    " from unnest($1::uuid[], $2::int4[], $3::int2[], $4::int8[]) u(run_id, task_no, attempt, token)"                      \
    " join _orch.task_{} t on t.run_id = u.run_id and t.task_no = u.task_no"                                               \
    " where t.state = 'r' and (u.attempt = 0 or t.attempt = u.attempt) and t.token = u.token for update of t" how
    static pg::Statement waiting(LOCK_ATTEMPTS(""), {UUIDARRAYOID, INT4ARRAYOID, INT2ARRAYOID, INT8ARRAYOID});
    static pg::Statement skipping(LOCK_ATTEMPTS(" skip locked"), {UUIDARRAYOID, INT4ARRAYOID, INT2ARRAYOID, INT8ARRAYOID});
#undef LOCK_ATTEMPTS
    std::sort(keys.begin(), keys.end(), [](const LeaseKey &a, const LeaseKey &b) { return std::tie(a.run, a.task_no) < std::tie(b.run, b.task_no); });
    std::vector<Attempt> locked;
    by_day(
        keys, [](const LeaseKey &k) { return day_of(k.run); },
        [&](int day, size_t first, size_t last) {
            pg::Column run(UUIDOID), task_no(INT4OID), attempt(INT2OID), token(INT8OID);
            for (size_t i = first; i < last; i++) {
                run.add(keys[i].run);
                task_no.add(Int32GetDatum(keys[i].task_no));
                attempt.add(Int16GetDatum(static_cast<int16>(keys[i].attempt)));
                token.add(Int64GetDatum(keys[i].token));
            }
            Parameters<4> parameters;
            parameters.add(run.array()).add(task_no.array()).add(attempt.array()).add(token.array());
            pg::Rows rows = skip_locked ? skipping.run_on(day, parameters) : waiting.run_on(day, parameters);
            for (uint64 i = 0; i < rows.count(); i++)
                locked.push_back({pg::uuid_of(rows.get(i, 1)), rows.int4(i, 2), rows.int4(i, 3), rows.int4(i, 4), rows.int4(i, 5), rows.int2(i, 6),
                                  rows.int2(i, 7), rows.time(i, 8)});
        });
    return locked;
}

bool still_running(const TaskRef &task, int64 token, std::optional<std::string> tenant)
{
    static pg::Statement select("select t.version_id from _orch.task_{} t where t.run_id = $1 and t.task_no = $2 and t.state = 'r' and t.token = $3",
                                {UUIDOID, INT4OID, INT8OID});
    const pg::Rows rows =
        select.run_on(day_of(task.run), Parameters<3>().add(pg::uuid_datum(task.run)).add(Int32GetDatum(task.task_no)).add(Int64GetDatum(token)));
    return !rows.empty() && (!tenant || version_of(rows.int4(0, 1)).tenant == *tenant);
}

void settle(Call &call, const WorkerIdentity *worker, std::vector<Settlement> &settlements, bool deferred)
{
    std::vector<Settlement *> successes, failures;
    Index open, refused;
    std::map<int, bool> days;
    for (Settlement &s : settlements) {
        if (s.lease && is_question({s.lease->run_id, s.lease->task_no})) settle_question(call, worker, s);
        else if (s.lease && (s.suspend || s.steps)) settle_code(call, worker, s, deferred);
        if (!s.lease || s.over) continue;
        const int day = day_of(s.lease->run_id);
        auto known = days.find(day);
        if (known == days.end()) known = days.emplace(day, leaf_exists(day)).first;
        if (!known->second) continue;
        std::vector<Settlement *> &same = open[{s.lease->run_id, s.lease->task_no}];
        same.push_back(&s);
        // Two results for one task in a batch: the first is settled, the others are judged by the row it leaves.
        if (same.size() > 1) continue;
        if (too_large(s)) {
            s.foreign = is_foreign_lease(call, worker, *s.lease);
            s.status = s.foreign ? SettleStatus::lost : SettleStatus::too_large;
        } else (s.error ? failures : successes).push_back(&s);
    }
    if (open.empty()) return;
    require_open();
    ForceSyncCommit();
    if (!successes.empty() && !failures.empty()) {
        // All rows in one order: another batch may name the same leases, its successes among our failures.
        std::vector<LeaseKey> keys;
        for (const auto *some : {&successes, &failures})
            for (const Settlement *s : *some) keys.push_back(key_of(*s));
        lock_attempts(std::move(keys), false);
    }
    const std::vector<Succeeded> done = successes.empty() ? std::vector<Succeeded>{} : settle_successes(call, worker, successes);
    if (!failures.empty()) settle_failures(call, worker, failures);
    follow_success(call, done, deferred);

    for (auto it = open.begin(); it != open.end();) {
        std::vector<Settlement *> &same = it->second;
        const Settlement &first = *same.front();
        if (same.size() > 1) {
            // The history of what the first one did is not written yet, so it is compared with the first itself.
            for (size_t i = 1; i < same.size(); i++) {
                const bool equal = first.output && same[i]->output ? pg::jsonb_equal(*first.output, *same[i]->output)
                                   : first.error && same[i]->error ? pg::jsonb_equal(*first.error, *same[i]->error)
                                                                   : !first.output && !same[i]->output && !first.error && !same[i]->error;
                same[i]->status = first.status != SettleStatus::ok && first.status != SettleStatus::duplicate ? first.status
                                  : equal && first.lease == same[i]->lease                                    ? SettleStatus::duplicate
                                                                                                              : SettleStatus::conflict;
            }
            for (size_t i = 1; i < same.size(); i++)
                if (first.status == SettleStatus::ok && same[i]->status == SettleStatus::conflict) refused[it->first] = {same[i]};
            same.resize(1);
        }
        if (first.status == SettleStatus::too_large) refused[it->first] = same;
        it = first.status == SettleStatus::ok || first.status == SettleStatus::too_large ? open.erase(it) : std::next(it);
    }
    if (!open.empty()) classify(call, open, worker);
    for (auto &[task, same] : open)
        if (same.front()->status != SettleStatus::duplicate) refused[task] = same;
    // A single settle raises when it is refused, which would undo what is written here; and the lock on the row would make the steward, which writes it
    // instead, pass over it.
    if (!worker) return;
    std::vector<RefusedSettle> refusals;
    for (const auto &[task, same] : refused)
        if (!same.front()->foreign)
            refusals.push_back({task, static_cast<int16>(same.front()->lease->attempt), status_word(same.front()->status), call.worker_actor(worker->name)});
    for (const TaskRef &task : record_refusals(call, std::move(refusals))) shared::refuse(refusal_of(*refused.at(task).front(), worker->name));
}

}  // namespace orch::engine
