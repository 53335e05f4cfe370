#include "engine/inline_task.hpp"

#include "core/decision.hpp"
#include "core/states.hpp"
#include "engine/attempts.hpp"
#include "engine/child.hpp"
#include "engine/progress.hpp"
#include "engine/signal.hpp"
#include "engine/task_of.hpp"
#include "engine/waits.hpp"
#include "pg/expression.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;

core::Json json_from(const std::string &text)
{
    auto parsed = core::parse(text, {.max_bytes = SIZE_MAX, .exact_integers = false});
    if (auto *problem = std::get_if<core::Problem>(&parsed)) throw expression_error{"template_unresolved", problem->message};
    return std::get<core::Json>(std::move(parsed));
}

core::Json resolved(Document &document, const core::PlannedTask &task, const core::Json &value)
{
    // What code made has no templates: braces in it are its own.
    return task.has_templates ? json_from(document.resolve(task, value)) : value;
}

constexpr int64 longest_sleep_us = INT64CONST(100) * 366 * USECS_PER_DAY;

// Seconds as a number, or an interval as PostgreSQL writes them.
TimestampTz after(TimestampTz now, const core::Json &length)
{
    double seconds = 0;
    TimestampTz at = 0;
    if (length.is_number()) {
        seconds = length.get<double>();
        if (!(seconds >= 0) || seconds * USECS_PER_SEC > static_cast<double>(longest_sleep_us))
            throw expression_error{"sleep_out_of_range", "a sleep of " + core::to_text(length) + " seconds is not between 0 and 100 years"};
        return now + static_cast<int64>(seconds * USECS_PER_SEC);
    }
    if (!length.is_string())
        throw expression_error{"sleep_invalid", "a sleep is a number of seconds or an interval, not " + core::in_quotes(core::to_text(length))};
    const std::string text = length.get<std::string>();
    const char *source = text.c_str();
    try {
        pg::bounded(settings::expression_timeout_ms, [&] {
            pg::call_pg([&] {
                Datum interval = DirectFunctionCall3(interval_in, CStringGetDatum(source), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
                at = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), interval));
            });
        });
    } catch (const pg::expression_failed &) {
        throw expression_error{"sleep_invalid", core::in_quotes(text) + " is not an interval"};
    }
    if (at < now || at - now > longest_sleep_us)
        throw expression_error{"sleep_out_of_range", "a sleep of " + core::in_quotes(text) + " is not between 0 and 100 years"};
    return at;
}

TimestampTz moment(const core::Json &value)
{
    if (!value.is_string()) throw expression_error{"until_invalid", "a moment is a timestamp as text, not " + core::in_quotes(core::to_text(value))};
    const std::string text = value.get<std::string>();
    const char *source = text.c_str();
    TimestampTz at = 0;
    try {
        pg::bounded(settings::expression_timeout_ms, [&] {
            pg::call_pg([&] {
                at = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(source), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
            });
        });
    } catch (const pg::expression_failed &) {
        throw expression_error{"until_invalid", core::in_quotes(text) + " is not a timestamp"};
    }
    if (TIMESTAMP_NOT_FINITE(at)) throw expression_error{"until_invalid", core::in_quotes(text) + " never comes"};
    return at;
}

InlineResult wait_until(TimestampTz due) { return {waiting, true, {{EventKind::timer_created, core::to_text(core::Json{{"due_at", stamp_of(due)}})}}, due}; }

InlineResult over(std::string output) { return {succeeded, true, {{EventKind::task_succeeded, std::move(output)}}, {}}; }

// Waits for a word from outside, for as long as the task may take.
InlineResult wait_for_word(Call &call, const core::PlannedTask &task, std::string_view what, core::Json whom)
{
    InlineResult result{waiting, true, {}, {}};
    core::Json told{{what, std::move(whom)}};
    if (task.timeout_seconds > 0) {
        result.due_at = call.now() + static_cast<int64>(task.timeout_seconds * USECS_PER_SEC);
        told["due_at"] = stamp_of(*result.due_at);
    }
    result.told.push_back({EventKind::task_waiting, core::to_text(told)});
    return result;
}

InlineResult wait_for_signal(Call &call, const TaskRef &ref, const core::PlannedTask &task, const core::Json &definition)
{
    const core::Json *name = core::member(definition, "name");
    if (!name || !name->is_string()) throw expression_error{"signal_invalid", "the name of a signal is text"};
    const std::string text = name->get<std::string>();
    const std::optional<WaitingSignal> sent = oldest_signal(ref.run, text);
    if (!sent) return wait_for_word(call, task, "signal", text);
    take_signal(ref, sent->no);
    return {succeeded,
            true,
            {{EventKind::signal_received, core::to_text(core::Json{{"signal", text}, {"signal_no", sent->no}})},
             {EventKind::task_succeeded, sent->payload ? pg::json_text_of(*sent->payload) : "null"}},
            {}};
}

InlineResult wait_for_approval(Call &call, const core::PlannedTask &task, const core::Json &definition)
{
    core::Json whom = core::Json::object();
    for (const char *key : {"roles", "form"})
        if (const core::Json *value = core::member(definition, key)) whom[key] = *value;
    return wait_for_word(call, task, "approval", std::move(whom));
}

// Whether a start does what must not be done for a row that another one decides at this moment.
bool has_effects(core::Executor executor) { return executor == core::Executor::signal || executor == core::Executor::workflow; }

// That of the definition, unless a redrive gave another.
std::string input_now(const TaskRef &ref, const core::PlannedTask &task, Document &document)
{
    static pg::Statement given("select input from _orch.task_{} where run_id = $1 and task_no = $2 and input is not null", {UUIDOID, INT4OID});
    if (task.input.is_null()) return "null";
    const pg::Rows rows = given.run_on(day_of(ref.run), pg::Parameters<2>().add(pg::uuid_datum(ref.run)).add(Int32GetDatum(ref.task_no)));
    if (!rows.empty()) return pg::json_text_of(rows.get(0, 1));
    return task.has_templates ? document.resolve(task, task.input) : core::to_text(task.input);
}

InlineResult run_here(Call &call, const TaskRef &ref, const Version &version, const core::PlannedTask &task, char from, Document &document)
{
    if (has_effects(task.executor) && !hold_row(ref, from)) return {};
    switch (task.executor) {
    case core::Executor::noop: return over(input_now(ref, task, document));
    case core::Executor::decision: {
        const core::Json d = resolved(document, task, task.definition);
        const bool result = core::decide(*core::member(d, "left"), core::member(d, "op")->get<std::string>(), *core::member(d, "right"));
        return over(core::to_text(core::Json{{"result", result}}));
    }
    case core::Executor::sleep: return wait_until(after(call.now(), resolved(document, task, task.definition)));
    case core::Executor::until: return wait_until(moment(resolved(document, task, task.definition)));
    case core::Executor::signal: return wait_for_signal(call, ref, task, resolved(document, task, task.definition));
    case core::Executor::approval: return wait_for_approval(call, task, resolved(document, task, task.definition));
    case core::Executor::workflow: {
        const core::Json definition = resolved(document, task, task.definition);
        const core::Json input = json_from(input_now(ref, task, document));
        return start_child(call, ref, version, task, definition, input);
    }
    default: return {ready};
    }
}

InlineResult failed_start(std::string_view error_class, std::string_view code, const std::string &message)
{
    return {failed, true, {{EventKind::task_failed, core::to_text(core::Json{{"class", error_class}, {"code", code}, {"message", message}})}}, {}};
}

// A start that was refused for now is tried again as an attempt that failed is.
InlineResult refused_start(Call &call, const core::PlannedTask &task, int attempt, const start_refused &refused)
{
    InlineResult result = failed_start(refused.error_class, refused.code, refused.message);
    const std::optional<int64> delay = retry_delay(task.retry, {refused.error_class, refused.code, {}}, attempt);
    if (!delay) return result;
    result.state = scheduled;
    result.due_at = call.now() + *delay;
    result.told[0] = {EventKind::task_retry_scheduled, retry_details(result.told[0].json, *delay, *result.due_at)};
    return result;
}

InlineResult start_with(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, char from, int attempt, Document &document)
{
    try {
        return run_here(call, task, version, planned, from, document);
    } catch (const expression_error &e) {
        return failed_start("validation", e.code, e.message);
    } catch (const start_refused &e) {
        return refused_start(call, planned, attempt, e);
    }
}

}  // namespace

InlineResult run_inline(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, char from, const RunFacts &facts,
                        const FreshResults &fresh)
{
    Document document(task.run, version);
    document.facts(facts);
    document.fresh(&fresh);
    try {
        if (!planned.when.empty() && !document.holds(planned)) return {skipped, false, {{EventKind::task_skipped}}, {}};
    } catch (const expression_error &e) {
        InlineResult result = failed_start("validation", e.code, e.message);
        result.started = false;
        return result;
    }
    return start_with(call, task, version, planned, from, 1, document);
}

InlineResult start_inline(Call &call, const TaskRef &task, const Version &version, const core::PlannedTask &planned, char from, int attempt)
{
    Document document(task.run, version);
    if (planned.references_run) document.facts(facts_of(task.run));
    return start_with(call, task, version, planned, from, attempt, document);
}

Transition transition_of(Call &call, const TaskRef &task, char from, const InlineResult &result, std::optional<EventKind> before)
{
    Transition t{task.run, task.task_no, from, result.state};
    if (before) t.events.add(*before);
    if (result.started) {
        t.attempts = 1;
        t.started_at = call.now();
        t.events.add(EventKind::task_started);
    }
    for (const InlineResult::Told &told : result.told) t.events.add(told.kind);
    if (result.state == ready) t.ready_at = call.now();
    t.due_at = result.due_at;
    if (result.state == succeeded || result.state == failed) t.output_event = t.events.count();
    if (core::is_final(result.state)) t.finished_at = call.now();
    return t;
}

void record_inline(Call &call, const Version &version, const Transition &applied, const InlineResult &result)
{
    const TaskRef task{applied.run, applied.task_no};
    // An event that came before its own is one of the attempt before.
    const int32 own = static_cast<int32>(result.told.size()) + result.started;
    int32 no = applied.no - applied.events.count();
    Datum last = 0;
    for (EventKind kind : applied.events) {
        no++;
        const int32 told = static_cast<int32>(result.told.size()) - (applied.no - no) - 1;
        std::optional<Datum> payload;
        if (told >= 0 && !result.told[told].json.empty()) payload = last = pg::jsonb_datum(result.told[told].json);
        int16 attempt = result.started || applied.to == ready ? applied.attempt : 0;
        if (result.started && applied.no - no >= own) attempt--;
        call.events().add({task.run, task.task_no, no, kind, attempt, call.engine_actor(), payload});
    }
    if (applied.to == ready) return queue_ready(version, task, call.now(), applied.priority);
    if (applied.to == waiting && applied.due_at) shared::on_commit_timer(*applied.due_at, task, shared::TimerKind::sleep);
    if (applied.to == scheduled) shared::on_commit_timer(*applied.due_at, task, shared::TimerKind::retry);
    if (applied.to == failed && task.task_no < version.task_count())
        write_dead_letter(call, task.run, version, task.task_no, result.started ? applied.attempt : int16(0), applied.to, last);
}

}  // namespace orch::engine
