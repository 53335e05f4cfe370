#include "engine/inline_task.hpp"

#include "core/decision.hpp"
#include "core/states.hpp"
#include "pg/expression.hpp"
#include "shared/settings.hpp"

namespace orch::engine {

namespace {

using namespace core::task_state;

std::string error_text(std::string_view code, const std::string &message)
{
    return core::to_text(core::Json{{"class", "validation"}, {"code", code}, {"message", message}});
}

core::Json resolved(Document &document, const core::PlannedTask &task, const core::Json &value)
{
    auto parsed = core::parse(document.resolve(task, value), {.max_bytes = SIZE_MAX, .exact_integers = false});
    if (auto *problem = std::get_if<core::Problem>(&parsed)) throw expression_error{"template_unresolved", problem->message};
    return std::get<core::Json>(std::move(parsed));
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

InlineResult wait_until(TimestampTz due)
{
    char *stamp = nullptr;
    pg::call_pg([&] { stamp = pstrdup(timestamptz_to_str(due)); });
    return {waiting, true, core::to_text(core::Json{{"due_at", stamp}}), due};
}

InlineResult run_here(Call &call, Document &document, const core::PlannedTask &task)
{
    switch (task.executor) {
    case core::Executor::noop: return {succeeded, true, task.input.is_null() ? "null" : document.resolve(task, task.input)};
    case core::Executor::decision: {
        const core::Json d = resolved(document, task, task.definition);
        const bool result = core::decide(*core::member(d, "left"), core::member(d, "op")->get<std::string>(), *core::member(d, "right"));
        return {succeeded, true, core::to_text(core::Json{{"result", result}})};
    }
    case core::Executor::sleep: return wait_until(after(call.now(), resolved(document, task, task.definition)));
    case core::Executor::until: return wait_until(moment(resolved(document, task, task.definition)));
    default: return {ready};
    }
}

}  // namespace

InlineResult run_inline(Call &call, const RunId &run, const Version &version, const core::PlannedTask &task, const RunFacts &facts, const FreshResults &fresh)
{
    Document document(run, version);
    document.facts(facts);
    document.fresh(&fresh);
    bool started = false;
    try {
        if (!task.when.empty() && !document.holds(task)) return {skipped};
        started = core::runs_in_engine(task.executor);
        return run_here(call, document, task);
    } catch (const expression_error &e) {
        return {failed, started, error_text(e.code, e.message)};
    }
}

}  // namespace orch::engine
