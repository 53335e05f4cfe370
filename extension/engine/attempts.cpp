#include "engine/attempts.hpp"

#include "core/retry_policy.hpp"
#include "core/states.hpp"
#include "engine/circuits.hpp"
#include "engine/progress.hpp"
#include "engine/task_of.hpp"
#include "engine/transitions.hpp"
#include "engine/waits.hpp"

extern "C" {
#include "common/md5.h"
#include "common/pg_prng.h"
}

namespace orch::engine {

namespace {

using core::task_state::cancelled;
using core::task_state::failed;
using core::task_state::skipped;
using core::task_state::timed_out;

// What kind of error it is, the same for two runs that failed alike: class, code and the message without its numbers.
std::string fingerprint(const Version &version, const RunId &run, int32 task_no, Datum error)
{
    std::string text = version.workflow + '\n' + task_of(version, run, task_no).id + '\n' + pg::text_member(error, "class").value_or("") + '\n' +
                       pg::text_member(error, "code").value_or("") + '\n';
    bool in_number = false;
    for (char c : pg::text_member(error, "message").value_or("")) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit) text += c;
        if (digit && !in_number) text += '#';
        in_number = digit;
    }
    char hash[33] = "";
    const char *reason = nullptr;
    pg::call_pg([&] {
        if (!pg_md5_hash(text.data(), text.size(), hash, &reason)) elog(ERROR, "could not compute a fingerprint: %s", reason);
    });
    return hash;
}

// Seconds since the first attempt that counts began: after a reopen the count starts anew.
double elapsed_seconds(Call &call, const Attempt &a)
{
    static pg::Statement select("select min(at) from _orch.event_{} where run_id = $1 and task_no = $2 and kind = 20 and attempt > $3",
                                {UUIDOID, INT4OID, INT2OID});
    pg::Rows rows =
        select.run_on(day_of(a.run), Parameters<3>().add(pg::uuid_datum(a.run)).add(Int32GetDatum(a.task_no)).add(Int16GetDatum(a.attempts_before)));
    const TimestampTz first = rows.empty() || rows.is_null(0, 1) ? a.started_at : rows.time(0, 1);
    return static_cast<double>(call.now() - first) / USECS_PER_SEC;
}

// The delay before the next attempt in microseconds, or nothing where there is none.
std::optional<int64> next_attempt_in(Call &call, const Version &version, const EndedAttempt &e, const std::string &error_class)
{
    if (e.stopped || e.how == HowEnded::skipped || error_class == "cancelled") return std::nullopt;
    const core::RetryPolicy &policy = task_of(version, e.attempt.run, e.attempt.task_no).retry;
    const int counted = e.attempt.attempt - e.attempt.attempts_before;
    const double asked = pg::number_member(e.error, "retry_after_seconds").value_or(0);
    const double delay = core::delay(policy, std::max(counted, 1), pg_prng_double(&pg_global_prng_state), asked);
    const double elapsed = policy.max_elapsed_seconds > 0 ? elapsed_seconds(call, e.attempt) + delay : 0;
    std::string code = pg::text_member(e.error, "code").value_or("");
    const core::TaskError error{error_class, code, pg::int_member(e.error, "exit_code")};
    if (!core::should_retry(policy, error, counted, elapsed, e.retry)) return std::nullopt;
    if (run_is_ending(e.attempt.run)) return std::nullopt;
    return static_cast<int64>(delay * USECS_PER_SEC);
}

}  // namespace

bool run_is_ending(const RunId &run)
{
    static pg::Statement select("select state <> 'r' or outcome is not null from _orch.run_{} where run_id = $1", {UUIDOID});
    pg::Rows rows = select.run_on(day_of(run), Parameters<1>().add(pg::uuid_datum(run)));
    return !rows.empty() && rows.boolean(0, 1);
}

std::optional<int64> retry_delay(const core::RetryPolicy &policy, const core::TaskError &error, int counted, std::optional<bool> asked)
{
    const double delay = core::delay(policy, std::max(counted, 1), pg_prng_double(&pg_global_prng_state));
    if (!core::should_retry(policy, error, counted, delay, asked)) return std::nullopt;
    return static_cast<int64>(delay * USECS_PER_SEC);
}

std::string retry_details(const std::string &error, int64 delay_us, TimestampTz due)
{
    return R"({"error":)" + error + R"(,"delay_seconds":)" + std::to_string(static_cast<double>(delay_us) / USECS_PER_SEC) + R"(,"due_at":)" +
           core::to_text(std::string_view(stamp_of(due))) + "}";
}

Datum error_json(std::string_view error_class, std::string_view code, std::string_view message)
{
    return pg::jsonb_datum(core::to_text(core::Json{{"class", error_class}, {"code", code}, {"message", message}}));
}

void write_dead_letter(Call &call, const RunId &run, const Version &version, int32 task_no, int16 attempt, char state, Datum error)
{
    static pg::Statement insert(
        "insert into _orch.dead_letter (run_id, task_no, attempt, state, error, fingerprint, created_at) values ($1, $2, $3, $4, $5, $6, $7)"
        " returning id",
        {UUIDOID, INT4OID, INT2OID, CHAROID, JSONBOID, TEXTOID, TIMESTAMPTZOID});
    const pg::Rows rows = insert.run(Parameters<7>()
                                         .add(pg::uuid_datum(run))
                                         .add(Int32GetDatum(task_no))
                                         .add(Int16GetDatum(attempt))
                                         .add(CharGetDatum(state))
                                         .add(error)
                                         .add(pg::text_datum(fingerprint(version, run, task_no, error)))
                                         .add(time_datum(call.now())));
    call.events().add_dead_letter(run, task_no, rows.int8(0, 1));
    shared::on_commit_level(shared::Level::dead_letters_made, 1);
}

void end_attempts(Call &call, std::span<const EndedAttempt> ended)
{
    struct Planned {
        char to;
        int64 delay_us;
    };
    std::vector<Transition> transitions;
    std::map<TaskRef, std::pair<const EndedAttempt *, Planned>> by_task;
    for (const EndedAttempt &e : ended) {
        const Version &version = version_of(e.attempt.version_id);
        std::string error_class = pg::text_member(e.error, "class").value_or("unknown");
        if (e.how == HowEnded::timed_out) error_class = "timeout";
        const std::optional<int64> delay = next_attempt_in(call, version, e, error_class);
        const char final_state = e.how == HowEnded::skipped ? skipped : error_class == "cancelled" ? cancelled : error_class == "timeout" ? timed_out : failed;
        Transition t{e.attempt.run, e.attempt.task_no, e.from, delay ? core::task_state::scheduled : final_state};
        const EventKind told = delay ? EventKind::task_retry_scheduled : core::task_end_event(final_state);
        const std::optional<EventKind> first = e.how == HowEnded::lease_expired ? EventKind::lease_expired : e.first;
        t.events = first ? EventKinds(*first, told) : EventKinds(told);
        t.forget_token = e.forget_token;
        if (delay) {
            t.due_at = call.now() + *delay;
        } else {
            t.output_event = t.events.count();
            t.finished_at = call.now();
        }
        transitions.push_back(t);
        by_task[{e.attempt.run, e.attempt.task_no}] = {&e, {t.to, delay.value_or(0)}};
    }
    apply(call, transitions);

    for (const Transition &t : transitions) {
        const auto &[e, planned] = by_task[{t.run, t.task_no}];
        if (!t.applied) continue;
        const Version &version = version_of(e->attempt.version_id);
        const int16 attempt = e->attempt.attempt;
        if (e->from == core::task_state::running)
            shared::on_commit_timing(shared::Timing::attempt, version.tenant, task_of(version, t.run, t.task_no).queue, call.now() - e->attempt.started_at);
        tell_circuit(version, {t.run, t.task_no},
                     outcome_of_error(e->how == HowEnded::timed_out ? "timeout" : pg::text_member(e->error, "class").value_or("")));
        if (t.events.count() == 2) call.events().add({t.run, t.task_no, t.no - 1, t.events.first(), attempt, call.engine_actor(), e->first_payload});
        const Datum actor = e->actor ? *e->actor : call.engine_actor();
        if (planned.to == core::task_state::scheduled) {
            call.events().add({t.run, t.task_no, t.no, t.events.last(), attempt, actor,
                               pg::jsonb_datum(retry_details(pg::json_text_of(e->error), planned.delay_us, *t.due_at)), e->facts});
            shared::on_commit_timer(*t.due_at, {t.run, t.task_no}, shared::TimerKind::retry);
            // Should the run have begun to end while this was not committed yet, whoever looked at it saw an attempt that runs.
            shared::on_commit_advance({t.run, run_itself});
            continue;
        }
        call.events().add({t.run, t.task_no, t.no, t.events.last(), attempt, actor, e->error, e->facts});
        // What code started, code sees to: it gets the error, and if that ends it, main is the dead letter.
        if ((planned.to == failed || planned.to == timed_out) && t.task_no < version.task_count())
            write_dead_letter(call, t.run, version, t.task_no, attempt, planned.to, e->error);
        follow_other_end(t.run, version, t.task_no, planned.to);
    }
}

}  // namespace orch::engine
