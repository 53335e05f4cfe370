// `_orch.*`: words for letters, the engine's clock, and what shared memory holds, for views and tests.
#include "core/grammar.hpp"
#include "core/states.hpp"
#include "engine/erase.hpp"
#include "engine/results.hpp"
#include "functions/arguments.hpp"
#include "shared/circuits.hpp"
#include "shared/clock.hpp"
#include "shared/database.hpp"
#include "shared/memory.hpp"
#include "shared/meters.hpp"
#include "shared/routes.hpp"
#include "shared/workers.hpp"

namespace orch::functions {

namespace {

using engine::Call;

Datum word(std::string_view name, const char *what, const std::string &value)
{
    if (name.empty()) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, std::string("there is no ") + what + " " + core::in_quotes(value), {}, {}};
    return pg::text_datum(name);
}

Datum run_state(FunctionCallInfo fcinfo)
{
    const char letter = DatumGetChar(Arguments(fcinfo).required(0, "state"));
    return word(core::run_state_name(letter), "state of a run", std::string(1, letter));
}

Datum task_state(FunctionCallInfo fcinfo)
{
    const char letter = DatumGetChar(Arguments(fcinfo).required(0, "state"));
    return word(core::task_state_name(letter), "state of a task", std::string(1, letter));
}

Datum event_kind(FunctionCallInfo fcinfo)
{
    const int16 kind = DatumGetInt16(Arguments(fcinfo).required(0, "kind"));
    return word(core::event_kind_name(kind), "kind of event", std::to_string(kind));
}

Datum item_executor(FunctionCallInfo fcinfo)
{
    const Datum item = Arguments(fcinfo).required(0, "item");
    for (std::string_view word : core::all_executor_words())
        if (pg::member(item, word)) return pg::text_datum(word);
    fcinfo->isnull = true;
    return 0;
}

Datum now(FunctionCallInfo) { return TimestampTzGetDatum(shared::now_us()); }

Datum advance_clock(FunctionCallInfo fcinfo)
{
    const auto by = Arguments(fcinfo).microseconds(0);
    if (!superuser()) throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE, "only a superuser may move the clock", {}, {}};
    if (!by || *by < 0) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the clock can only be moved forward", {}, {}};
    shared::require_preloaded();
    shared::advance_clock(*by);
    return TimestampTzGetDatum(shared::now_us());
}

Datum jump_wall_clock(FunctionCallInfo fcinfo)
{
    const auto by = Arguments(fcinfo).microseconds(0);
    if (!superuser()) throw pg::error{ERRCODE_INSUFFICIENT_PRIVILEGE, "only a superuser may move the clock", {}, {}};
    if (!by) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the clock can only be moved by a length of time", {}, {}};
    shared::jump_wall_clock(*by);
    return TimestampTzGetDatum(shared::now_us());
}

// The install script ends with it. Where the library was not preloaded, installing works and every function says what is missing.
Datum attach(FunctionCallInfo)
{
    if (shared::preloaded()) shared::on_commit_attach();
    return 0;
}

Datum tenant_allowed(FunctionCallInfo fcinfo)
{
    const std::string tenant = Arguments(fcinfo).text(0, "tenant");
    return BoolGetDatum(tenant == engine::tenant_of(GetUserId()));
}

// For views: what cannot be found is null.
template <class F>
Datum of_run(FunctionCallInfo fcinfo, F &&f)
{
    const core::Uuid id = Arguments(fcinfo).uuid(0, "run");
    Call call;
    std::optional<Datum> result;
    if (auto run = engine::find_run(call, id)) result = f(*run);
    if (result) result = engine::to_outer(call, *result);
    call.finish();
    fcinfo->isnull = !result;
    return result.value_or(0);
}

Datum run_outputs(FunctionCallInfo fcinfo) { return of_run(fcinfo, engine::output_of); }

Datum task_input(FunctionCallInfo fcinfo)
{
    const int32 task_no = Arguments(fcinfo).int4(1, "task_no");
    return of_run(fcinfo, [&](const engine::RunLook &run) { return engine::input_of_task(run, task_no); });
}

std::string_view phase_word(shared::Phase phase)
{
    switch (phase) {
    case shared::Phase::unused: return "unused";
    case shared::Phase::closed: return "closed";
    case shared::Phase::rebuilding: return "rebuilding";
    case shared::Phase::open: return "open";
    case shared::Phase::held: return "held";
    }
    return {};
}

Datum circuit_status(FunctionCallInfo fcinfo)
{
    static constexpr std::string_view words[] = {"closed", "open", "half_open"};
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    const auto time = [](int64 us) { return us ? std::optional(TimestampTzGetDatum(us)) : std::nullopt; };
    for (const shared::CircuitStatus &c : shared::circuit_status())
        result.add<7>({pg::text_datum(c.name), pg::text_datum(c.tenant), pg::text_datum(words[static_cast<int>(c.state)]), Int32GetDatum(c.failures_in_row),
                       BoolGetDatum(c.probing), time(c.opened_us), time(c.half_open_us)});
    return 0;
}

Datum history_is_open(FunctionCallInfo) { return BoolGetDatum(engine::history_is_open()); }

Datum engine_status(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    const int pid = shared::steward_pid();
    const std::string_view phase = RecoveryInProgress() ? "standby" : phase_word(shared::phase());
    result.add<3>({pg::text_datum(phase), pid > 0 ? std::optional(Int32GetDatum(pid)) : std::nullopt,
                   Float8GetDatum(static_cast<double>(shared::steward_late_us()) / USECS_PER_SEC)});
    return 0;
}

Datum memory_status(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    const shared::MemoryStatus m = shared::memory_status();
    const auto add = [&](std::string_view part, int64 used, int64 size) { result.add<3>({pg::text_datum(part), Int64GetDatum(used), Int64GetDatum(size)}); };
    add("entries", m.entries_used, m.entries);
    add("leases", m.leases, m.leases_total);
    add("counters", m.counters_used, m.counters_bytes);
    add("routes", m.routes_used, m.routes_total);
    add("workers", m.workers_used, m.workers_total);
    add("circuits left out", shared::circuits_left_out(), 0);
    return 0;
}

Datum meters(FunctionCallInfo fcinfo)
{
    static constexpr std::string_view level_words[] = {"queued", "scheduled", "running", "paused", "cancelling", "scheduled", "waiting", ""};
    static constexpr std::string_view timing_words[] = {"queueing", "attempt", "run"};
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    const shared::MeterStatus m = shared::meter_status();
    const auto add = [&](std::string_view meter, std::string_view label, double value) {
        result.add<5>({pg::text_datum(meter), std::nullopt, pg::text_datum(label), Float8GetDatum(value), std::nullopt});
    };
    for (const auto &[kind, count] : m.events)
        if (const std::string_view name = core::event_kind_name(kind); !name.empty()) add("event", name, static_cast<double>(count));
    for (int i = 0; i < shared::level_count; i++) {
        const auto level = static_cast<shared::Level>(i);
        const bool of_task = level == shared::Level::tasks_scheduled || level == shared::Level::tasks_waiting;
        add(level == shared::Level::dead_letters_made ? "dead_letters" : of_task ? "task" : "run", level_words[i], static_cast<double>(m.levels[i]));
    }
    add("task", "ready", static_cast<double>(m.ready));
    add("task", "running", static_cast<double>(m.running));
    add("memory", "timers", static_cast<double>(m.timers));
    add("memory", "advances", static_cast<double>(m.advances));
    add("feed_pending", "", static_cast<double>(m.feed_pending));
    for (const shared::TimingStatus &t : m.timings) {
        pg::Column buckets(INT8OID);
        uint64 sum = 0;
        for (const uint64 bucket : t.buckets) buckets.add(Int64GetDatum(static_cast<int64>(sum += bucket)));
        result.add<5>({pg::text_datum(timing_words[static_cast<int>(t.timing)]), t.tenant.empty() ? std::nullopt : std::optional(pg::text_datum(t.tenant)),
                       t.tenant.empty() ? std::nullopt : std::optional(pg::text_datum(t.name)), Float8GetDatum(static_cast<double>(t.sum_us) / USECS_PER_SEC),
                       buckets.array()});
    }
    return 0;
}

Datum worker_status(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    for (const shared::WorkerStatus &w : shared::worker_status())
        result.add<5>({Int32GetDatum(w.worker_id),
                       pg::text_datum(!w.alive     ? "lost"
                                      : w.draining ? "draining"
                                                   : "alive"),
                       Int32GetDatum(w.running), TimestampTzGetDatum(w.last_seen_us), BoolGetDatum(w.waiting)});
    return 0;
}

Datum route_status(FunctionCallInfo fcinfo)
{
    pg::ResultSet result(fcinfo);
    shared::require_preloaded();
    // The line of runs that wait for admission is a route of memory only.
    for (const shared::RouteStatus &r : shared::route_status())
        if (r.route_id > 0)
            result.add<5>({Int32GetDatum(r.route_id), Int64GetDatum(r.ready), BoolGetDatum(r.spilled),
                           r.oldest_key == INT64_MAX ? std::nullopt : std::optional(TimestampTzGetDatum(std::min(r.oldest_key, shared::now_us()))),
                           Int32GetDatum(r.workers)});
    return 0;
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_private_run_state, orch::functions::run_state)
ORCH_FUNCTION(orch_private_task_state, orch::functions::task_state)
ORCH_FUNCTION(orch_private_event_kind, orch::functions::event_kind)
ORCH_FUNCTION(orch_private_item_executor, orch::functions::item_executor)
ORCH_FUNCTION(orch_private_now, orch::functions::now)
ORCH_FUNCTION(orch_private_advance_clock, orch::functions::advance_clock)
ORCH_FUNCTION(orch_private_jump_wall_clock, orch::functions::jump_wall_clock)
ORCH_FUNCTION(orch_private_attach, orch::functions::attach)
ORCH_FUNCTION(orch_private_tenant_allowed, orch::functions::tenant_allowed)
ORCH_FUNCTION(orch_private_run_outputs, orch::functions::run_outputs)
ORCH_FUNCTION(orch_private_task_input, orch::functions::task_input)
ORCH_FUNCTION(orch_private_circuit_status, orch::functions::circuit_status)
ORCH_FUNCTION(orch_private_history_is_open, orch::functions::history_is_open)
ORCH_FUNCTION(orch_private_engine_status, orch::functions::engine_status)
ORCH_FUNCTION(orch_private_memory_status, orch::functions::memory_status)
ORCH_FUNCTION(orch_private_meters, orch::functions::meters)
ORCH_FUNCTION(orch_private_worker_status, orch::functions::worker_status)
ORCH_FUNCTION(orch_private_route_status, orch::functions::route_status)
