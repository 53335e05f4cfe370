// orch.result, results, why, explain, the feed, and the procedures that sleep.
#include "core/states.hpp"
#include "engine/explain.hpp"
#include "engine/feed.hpp"
#include "engine/lease.hpp"
#include "engine/results.hpp"
#include "engine/task_of.hpp"
#include "engine/why.hpp"
#include "functions/arguments.hpp"
#include "functions/patience.hpp"
#include "pg/sleep.hpp"
#include "shared/database.hpp"
#include "shared/feed.hpp"
#include "shared/run_waiters.hpp"
#include "shared/workers.hpp"

extern "C" {
#include "access/xlogrecovery.h"
}

namespace orch::functions {

namespace {

using engine::Call;

constexpr int most_events = 100'000;

Datum result(FunctionCallInfo fcinfo)
{
    const core::Uuid run = Arguments(fcinfo).uuid(0, "run");
    Call call;
    std::optional<Datum> output = engine::output_of(engine::look_at_run(call, run));
    if (output) output = engine::to_outer(call, *output);
    call.finish();
    fcinfo->isnull = !output;
    return output.value_or(0);
}

Datum results(FunctionCallInfo fcinfo)
{
    const core::Uuid id = Arguments(fcinfo).uuid(0, "run");
    pg::ResultSet rows(fcinfo);
    Call call;
    const engine::RunLook run = engine::look_at_run(call, id);
    const std::vector<engine::TaskLook> tasks = engine::look_at_tasks(run, true);
    std::vector<std::optional<Datum>> outputs = engine::task_outputs(run);
    outputs.resize(std::max(outputs.size(), tasks.size()));
    for (int32 t = 0; t < static_cast<int32>(tasks.size()); t++)
        rows.add<3>(
            {pg::text_datum(engine::task_of(*run.version, id, t, tasks[t].item).id), pg::text_datum(core::task_state_name(tasks[t].state)), outputs[t]});
    call.finish();
    return 0;
}

Datum why(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const std::optional<std::string> task = arguments.maybe_text(1);
    pg::ResultSet rows(fcinfo);
    Call call;
    const std::vector<engine::Reason> reasons = engine::why(call, run, task);
    call.finish();
    const auto text_or_null = [](const std::string &t) { return t.empty() ? std::nullopt : std::optional(pg::text_datum(t)); };
    for (const engine::Reason &r : reasons)
        rows.add<5>({r.task_id ? std::optional(pg::text_datum(*r.task_id)) : std::nullopt, pg::text_datum(r.state), pg::text_datum(r.reason),
                     text_or_null(r.detail), text_or_null(r.hint)});
    return 0;
}

Datum interval_datum(int64 us)
{
    Interval *interval = nullptr;
    pg::call_pg([&] { interval = static_cast<Interval *>(palloc0(sizeof(Interval))); });
    interval->time = us;
    return IntervalPGetDatum(interval);
}

Datum explain(FunctionCallInfo fcinfo)
{
    const core::Uuid id = Arguments(fcinfo).uuid(0, "run");
    pg::ResultSet rows(fcinfo);
    Call call;
    const engine::Explanation explanation = engine::explain(call, id);
    call.finish();
    const core::Plan &plan = explanation.run.version->plan;
    const TimestampTz zero = explanation.run.created_at;
    for (const engine::Explained &e : explanation.rows) {
        std::optional<Datum> v[11];
        if (e.task) {
            v[0] = pg::text_datum(plan.tasks[*e.task].id);
            v[1] = Int32GetDatum(plan.tasks[*e.task].level);
            v[2] = BoolGetDatum(e.time.on_critical_path);
        }
        v[3] = pg::text_datum(e.state);
        v[4] = Int32GetDatum(e.time.attempts);
        if (e.time.began) {
            v[5] = interval_datum(e.time.queued_us);
            v[6] = interval_datum(e.time.running_us);
            v[7] = interval_datum(e.time.waiting_us);
        }
        if (e.time.started_us != 0) v[8] = interval_datum(e.time.started_us - zero);
        if (e.time.over) v[9] = interval_datum(e.time.ended_us - zero);
        v[10] = pg::jsonb_datum(core::to_text(e.detail));
        rows.add(v);
    }
    return 0;
}

engine::FeedRange range_of(const Arguments &arguments)
{
    const int64 after = DatumGetInt64(arguments.required(0, "after_pos"));
    const int max_rows = arguments.int4(1, "max_rows");
    if (max_rows < 1 || max_rows > most_events)
        throw pg::error{
            ERRCODE_INVALID_PARAMETER_VALUE, "max_rows " + std::to_string(max_rows) + " is not between 1 and " + std::to_string(most_events), {}, {}};
    return {after, max_rows};
}

Datum events_after(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::FeedRange range = range_of(arguments);
    if (!arguments.is_null(2)) range.run = arguments.uuid(2, "run");
    pg::ResultSet rows(fcinfo);
    Call call;
    engine::read_feed(call, range, rows);
    call.finish();
    return 0;
}

Datum feed(FunctionCallInfo fcinfo)
{
    engine::FeedRange range = range_of(Arguments(fcinfo));
    range.all_tenants = true;
    pg::ResultSet rows(fcinfo);
    Call call;
    engine::read_feed(call, range, rows);
    call.finish();
    return 0;
}

Datum feed_position(FunctionCallInfo)
{
    Call call;
    const int64 position = engine::feed_position();
    call.finish();
    return Int64GetDatum(position);
}

// The procedures ------------------------------------------------------------------

bool is_over(pg::NonAtomic &outer, const core::Uuid &run)
{
    bool over = false;
    pg::in_short_transaction(outer, [&] {
        Call call;
        over = core::is_final(engine::look_at_run(call, run).state);
        call.finish();
    });
    return over;
}

Datum await_run(FunctionCallInfo fcinfo)
{
    constexpr int64 look_again_ms = 1000;
    const Arguments arguments(fcinfo);
    const core::Uuid run = arguments.uuid(0, "run");
    const Patience patience(arguments.microseconds(1));
    pg::require_top_level(fcinfo, "orch.await_run");
    shared::require_preloaded();
    pg::NonAtomic outer;
    outer.open();
    // The waiter first, then the row: a run that ends between the two sets the latch. On a standby nobody does.
    const bool waits = !RecoveryInProgress() && shared::run_wait_begin(run);
    while (!is_over(outer, run) && !patience.over())
        if (pg::sleep_for_client(patience.left_ms(waits ? -1 : look_again_ms), false, "OrchAwaitRun") == pg::Woken::client) break;
    shared::run_wait_end();
    outer.close();
    return 0;
}

// The worker's slot; one that memory does not know is made known by its row, or as a new worker.
int slot_of(pg::NonAtomic &outer, const std::string &name)
{
    for (;;) {
        const int slot = shared::worker_find(engine::tenant_of_workers(GetUserId()), name);
        if (slot != shared::no_slot && shared::worker_id_of(slot) > 0) return slot;
        pg::in_short_transaction(outer, [&] {
            Call call;
            engine::know_worker(call, name);
            call.finish();
        });
    }
}

Datum await_work(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    const std::string name = arguments.text(0, "worker");
    engine::require_worker_name(name);
    engine::require_primary("orch.await_work()");
    const Patience patience(arguments.microseconds(1));
    pg::require_top_level(fcinfo, "orch.await_work");
    shared::require_preloaded();
    pg::NonAtomic outer;
    outer.open();
    outer.commit();
    const int slot = slot_of(outer, name);
    shared::worker_called(slot);
    shared::waiter_begin(slot);
    while (!shared::work_for(slot) && !patience.over())
        if (pg::sleep_for_client(patience.left_ms(), true, "OrchAwaitWork") == pg::Woken::client) break;
    shared::waiter_end(slot);
    outer.close();
    return 0;
}

// One session for many workers: whoever they are is told by orch.worker_waits, in other sessions.
Datum await_workers(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.await_workers()");
    const Patience patience(arguments.microseconds(1));
    pg::require_top_level(fcinfo, "orch.await_workers");
    shared::require_preloaded();
    MemoryContext outside = CurrentMemoryContext;
    pg::NonAtomic outer;
    outer.open();
    outer.commit();
    shared::listen_for_workers();
    std::vector<int32> woken = shared::take_woken_workers();
    while (woken.empty() && !patience.over()) {
        if (pg::sleep_for_client(patience.left_ms(), true, "OrchAwaitWorkers") == pg::Woken::client) break;
        woken = shared::take_woken_workers();
    }
    outer.close();
    MemoryContextSwitchTo(outside);
    pg::Column numbers(INT4OID);
    for (const int32 number : woken) numbers.add(Int32GetDatum(number));
    return one_row<1>(fcinfo, {numbers.array()});
}

// On a standby no commit wakes anybody: whatever is replayed may be news.
void await_replay(const Patience &patience)
{
    constexpr int64 look_again_ms = 200;
    XLogRecPtr began = InvalidXLogRecPtr;
    pg::call_pg([&] { began = GetXLogReplayRecPtr(nullptr); });
    for (XLogRecPtr now = began; now == began && !patience.over() && RecoveryInProgress();) {
        if (pg::sleep_for_client(patience.left_ms(look_again_ms), true, "OrchAwaitEvents") == pg::Woken::client) return;
        pg::call_pg([&] { now = GetXLogReplayRecPtr(nullptr); });
    }
}

Datum await_events(FunctionCallInfo fcinfo)
{
    constexpr int64 look_again_ms = 1000;
    const Arguments arguments(fcinfo);
    const int64 after = DatumGetInt64(arguments.required(0, "after_pos"));
    const Patience patience(arguments.microseconds(1));
    pg::require_top_level(fcinfo, "orch.await_events");
    shared::require_preloaded();
    pg::NonAtomic outer;
    outer.open();
    outer.commit();
    if (RecoveryInProgress()) {
        await_replay(patience);
        outer.close();
        return 0;
    }
    shared::feed_wait_begin();
    while (!shared::feed_news(after) && !patience.over()) {
        // Before the first positions are known there is no commit that could wake.
        const int64 most_ms = shared::positions_seeded() ? shared::feed_wait_ms(after) : look_again_ms;
        if (pg::sleep_for_client(patience.left_ms(most_ms), true, "OrchAwaitEvents") == pg::Woken::client) break;
    }
    shared::feed_wait_end();
    outer.close();
    return 0;
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_result, orch::functions::result)
ORCH_FUNCTION(orch_results, orch::functions::results)
ORCH_FUNCTION(orch_why, orch::functions::why)
ORCH_FUNCTION(orch_explain, orch::functions::explain)
ORCH_FUNCTION(orch_events_after, orch::functions::events_after)
ORCH_FUNCTION(orch_feed, orch::functions::feed)
ORCH_FUNCTION(orch_feed_position, orch::functions::feed_position)
ORCH_FUNCTION(orch_await_run, orch::functions::await_run)
ORCH_FUNCTION(orch_await_work, orch::functions::await_work)
ORCH_FUNCTION(orch_await_workers, orch::functions::await_workers)
ORCH_FUNCTION(orch_await_events, orch::functions::await_events)
