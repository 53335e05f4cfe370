// What a worker calls, and what is about their work as a whole: start, lease, exchange, complete, fail, heartbeat, release, stop, log, reset_circuit.
#include "shared/workers.hpp"
#include "core/lease_text.hpp"
#include "engine/circuits.hpp"
#include "engine/code_run.hpp"
#include "engine/heartbeat.hpp"
#include "engine/log.hpp"
#include "engine/question.hpp"
#include "engine/settle.hpp"
#include "engine/task_of.hpp"
#include "functions/arguments.hpp"
#include "shared/settings.hpp"

namespace orch::functions {

namespace {

using engine::Call;
using engine::LeasedTask;
using engine::Settlement;
using engine::SettleStatus;
using engine::WorkerIdentity;

int64 lease_time_from(const Arguments &arguments, int i) { return arguments.microseconds(i).value_or(settings::default_lease_time_ms * INT64CONST(1000)); }

// The eleven columns of a leased task, in the memory of the statement.
struct LeaseColumns {
    std::optional<Datum> values[11];
};

std::vector<LeaseColumns> columns_of(Call &call, const std::vector<LeasedTask> &tasks)
{
    std::vector<LeaseColumns> rows;
    rows.reserve(tasks.size());
    MemoryContext before = MemoryContextSwitchTo(call.outer());
    for (const LeasedTask &t : tasks) {
        const bool question = t.task_no == engine::question_task;
        const core::PlannedTask &task = engine::task_of(*t.version, t.run, question ? engine::main_task : t.task_no);
        const std::string_view id = question ? std::string_view("query") : task.id;
        LeaseColumns row;
        auto &v = row.values;
        v[0] = pg::text_datum(t.lease);
        v[1] = pg::uuid_datum(t.run);
        v[2] = pg::text_datum(id);
        v[3] = Int32GetDatum(t.attempt);
        v[4] = pg::text_datum(question ? std::string_view("query") : core::executor_name(task.executor));
        if (task.executor == core::Executor::handler) v[5] = pg::text_datum(task.handler);
        if (task.executor == core::Executor::code) v[5] = pg::text_datum(t.version->workflow);
        if (t.spec) v[6] = engine::to_outer(call, *t.spec);
        if (t.input) v[7] = engine::to_outer(call, *t.input);
        if (t.deadline_at) v[8] = TimestampTzGetDatum(*t.deadline_at);
        if (t.traceparent) v[9] = engine::to_outer(call, *t.traceparent);
        v[10] = pg::text_datum(core::uuid_to_text(t.run) + ':' + std::string(id));
        rows.push_back(row);
    }
    MemoryContextSwitchTo(before);
    return rows;
}

Datum worker_start(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.worker_start()");
    const std::string name = arguments.text(0, "worker");
    engine::WorkerDeclaration declaration;
    declaration.queues = pg::texts_of(arguments.required(1, "queues"), "queues");
    if (!arguments.is_null(2)) declaration.handlers = pg::texts_of(*arguments.maybe(2), "handlers");
    declaration.version = arguments.maybe_text(3);
    declaration.metadata = arguments.maybe(4);
    Call call;
    engine::start_worker(call, name, declaration);
    call.finish();
    return pg::text_datum(name);
}

Datum lease(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.lease()");
    pg::ResultSet result(fcinfo);
    const std::string name = arguments.text(0, "worker");
    const int max_tasks = arguments.int4(1, "max_tasks");
    const int64 lease_time = lease_time_from(arguments, 2);
    engine::require_own_transaction("orch.lease");
    Call call;
    const WorkerIdentity worker = engine::know_worker(call, name);
    const std::vector<LeaseColumns> rows = columns_of(call, engine::lease(call, worker, max_tasks, lease_time));
    call.finish();
    for (const LeaseColumns &row : rows) result.add(row.values);
    return 0;
}

std::optional<Datum> lease_as_sent(const Settlement &s)
{
    return s.status == SettleStatus::invalid && s.lease_text.empty() ? std::nullopt : std::optional(pg::text_datum(s.lease_text));
}

Datum exchange(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.exchange()");
    pg::ResultSet result(fcinfo);
    const std::string name = arguments.text(0, "worker");
    const Datum results = arguments.required(1, "results");
    const int max_tasks = arguments.int4(2, "max_tasks");
    const int64 lease_time = lease_time_from(arguments, 3);
    engine::require_own_transaction("orch.exchange");
    std::vector<Settlement> settlements = engine::settlements_of(results);
    Call call;
    const WorkerIdentity worker = engine::know_worker(call, name);
    engine::settle(call, &worker, settlements, false);
    const std::vector<LeaseColumns> leased = columns_of(call, engine::lease(call, worker, max_tasks, lease_time));
    call.finish();
    for (const Settlement &s : settlements) {
        if (s.status == SettleStatus::ok || s.status == SettleStatus::duplicate) continue;
        std::optional<Datum> row[12];
        row[0] = pg::text_datum(engine::status_word(s.status));
        row[1] = lease_as_sent(s);
        result.add(row);
    }
    const Datum word = pg::text_datum("leased");
    for (const LeaseColumns &columns : leased) {
        std::optional<Datum> row[12];
        row[0] = word;
        std::copy(std::begin(columns.values), std::end(columns.values), row + 1);
        result.add(row);
    }
    return 0;
}

Datum complete_many(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.complete_many()");
    pg::ResultSet result(fcinfo);
    const std::string name = arguments.text(0, "worker");
    std::vector<Settlement> settlements = engine::settlements_of(arguments.required(1, "results"));
    Call call;
    const WorkerIdentity worker = engine::know_worker(call, name);
    engine::settle(call, &worker, settlements, in_callers_transaction());
    call.finish();
    for (const Settlement &s : settlements)
        if (s.status != SettleStatus::ok && s.status != SettleStatus::duplicate)
            result.add<2>({lease_as_sent(s), pg::text_datum(engine::status_word(s.status))});
    return 0;
}

void settle_one(Settlement settlement)
{
    std::vector<Settlement> settlements;
    settlement.lease = core::decode_lease(settlement.lease_text);
    settlements.push_back(std::move(settlement));
    Call call;
    engine::settle(call, nullptr, settlements, in_callers_transaction());
    const SettleStatus status = settlements.front().status;
    if (status != SettleStatus::ok && status != SettleStatus::duplicate) engine::raise_refusal(settlements.front());
    call.finish();
}

Datum complete(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.complete()");
    Settlement s;
    s.lease_text = arguments.text(0, "lease");
    s.output = arguments.maybe(1);
    settle_one(std::move(s));
    return 0;
}

Datum fail(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.fail()");
    Settlement s;
    s.lease_text = arguments.text(0, "lease");
    s.error = arguments.required(1, "error");
    if (!pg::is_object(*s.error))
        throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "error must be a JSON object", {}, "Write {\"class\": \"handler\", \"message\": \"...\"}."};
    if (!arguments.is_null(2)) s.retry = DatumGetBool(*arguments.maybe(2));
    settle_one(std::move(s));
    return 0;
}

Datum skip(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.skip()");
    Settlement s;
    s.lease_text = arguments.text(0, "lease");
    s.skips = true;
    s.error = engine::skip_reason(arguments.maybe_text(1));
    settle_one(std::move(s));
    return 0;
}

Datum heartbeat(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.heartbeat()");
    pg::ResultSet result(fcinfo);
    const std::string name = arguments.text(0, "worker");
    Call call;
    const std::vector<engine::Beat> beats = engine::heartbeat(call, engine::know_worker(call, name), arguments.maybe(1));
    call.finish();
    for (const engine::Beat &b : beats) result.add<2>({pg::text_datum(b.lease), pg::text_datum(b.status)});
    return 0;
}

Datum release(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.release()");
    pg::ResultSet result(fcinfo);
    const std::vector<std::string> leases = pg::texts_of(arguments.required(0, "leases"), "leases");
    Call call;
    const auto refused = engine::release(call, leases);
    call.finish();
    for (const auto &[text, status] : refused) result.add<2>({pg::text_datum(text), pg::text_datum(engine::status_word(status))});
    return 0;
}

Datum worker_stop(FunctionCallInfo fcinfo)
{
    static pg::Statement update("update _orch.worker set stopped_at = $2 where worker_id = $1", {INT4OID, TIMESTAMPTZOID});
    const std::string name = Arguments(fcinfo).text(0, "worker");
    engine::require_primary("orch.worker_stop()");
    Call call;
    const WorkerIdentity worker = engine::know_worker(call, name);
    shared::worker_drain(worker.slot);
    std::vector<std::string> leases;
    for (const engine::Beat &b : engine::heartbeat(call, worker, std::nullopt)) leases.push_back(b.lease);
    const auto refused = engine::release(call, leases);
    update.run(engine::Parameters<2>().add(Int32GetDatum(worker.worker_id)).add(engine::time_datum(call.now())));
    shared::worker_close(worker.slot);
    call.finish();
    return Int32GetDatum(static_cast<int32>(leases.size() - refused.size()));
}

Datum worker_waits(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.worker_waits()");
    const std::string name = arguments.text(0, "worker");
    Call call;
    const WorkerIdentity worker = engine::know_worker(call, name);
    bool waits = false;
    if (arguments.is_null(1)) shared::worker_waits_no_more(worker.slot);
    else waits = shared::worker_waits_with(worker.slot, arguments.int4(1, "listener"));
    call.finish();
    fcinfo->isnull = !waits;
    return Int32GetDatum(worker.worker_id);
}

Datum log(FunctionCallInfo fcinfo)
{
    const Arguments arguments(fcinfo);
    engine::require_primary("orch.log()");
    const std::string lease = arguments.text(0, "lease");
    const Datum lines = arguments.required(1, "lines");
    Call call;
    const int32 stored = engine::store_log(call, lease, lines);
    call.finish();
    return Int32GetDatum(stored);
}

Datum reset_circuit(FunctionCallInfo fcinfo)
{
    const std::string name = Arguments(fcinfo).text(0, "circuit");
    engine::require_primary("orch.reset_circuit()");
    Call call;
    const bool was_open = engine::reset_circuit(call, name);
    call.finish();
    return BoolGetDatum(was_open);
}

}  // namespace

}  // namespace orch::functions

ORCH_FUNCTION(orch_worker_start, orch::functions::worker_start)
ORCH_FUNCTION(orch_lease, orch::functions::lease)
ORCH_FUNCTION(orch_exchange, orch::functions::exchange)
ORCH_FUNCTION(orch_complete_many, orch::functions::complete_many)
ORCH_FUNCTION(orch_complete, orch::functions::complete)
ORCH_FUNCTION(orch_fail, orch::functions::fail)
ORCH_FUNCTION(orch_skip, orch::functions::skip)
ORCH_FUNCTION(orch_heartbeat, orch::functions::heartbeat)
ORCH_FUNCTION(orch_release, orch::functions::release)
ORCH_FUNCTION(orch_worker_stop, orch::functions::worker_stop)
ORCH_FUNCTION(orch_worker_waits, orch::functions::worker_waits)
ORCH_FUNCTION(orch_log, orch::functions::log)
ORCH_FUNCTION(orch_reset_circuit, orch::functions::reset_circuit)
