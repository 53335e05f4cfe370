#include "pg/sql_meter.hpp"

#include "pg/compat.hpp"

namespace orch::pg {

namespace {

constexpr int most_plan_bytes = 16 * 1024;  // of one statement
constexpr int most_plans_bytes = 64 * 1024;

constinit const char *measured = nullptr;  // the text that runs now, where plans are wanted
constinit int64 threshold_us = 0;
constinit QueryDesc *outermost = nullptr;  // compared and never followed, but in its own end: an error leaves it dangling
constinit int64 outermost_began_us = 0;
constinit StringInfo plans = nullptr;  // in memory of its own: the transaction may be rolled back
constinit ExecutorStart_hook_type previous_start = nullptr;
constinit ExecutorEnd_hook_type previous_end = nullptr;

int64 clock_us()
{
    instr_time now;
    INSTR_TIME_SET_CURRENT(now);
    return static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

// The hooks are plain C: no object with a destructor lives in their frames, so what they call may ereport through them.

void on_start(QueryDesc *query, int flags)
{
    // What runs inside a function meanwhile is part of the outermost statement; what the planner ran before it has another text.
    const bool is_outermost = measured && !outermost && !(flags & EXEC_FLAG_EXPLAIN_ONLY) && std::strcmp(query->sourceText, measured) == 0;
    // Rows are counted; reading the clock at every row would slow the task down.
    if (is_outermost) query->instrument_options |= INSTRUMENT_ROWS;
    (previous_start ? previous_start : standard_ExecutorStart)(query, flags);
    if (!is_outermost) return;
    outermost = query;
    outermost_began_us = clock_us();
}

void explain(QueryDesc *query)
{
    MemoryContext before = MemoryContextSwitchTo(query->estate->es_query_cxt);
    ExplainState *state = NewExplainState();
    state->analyze = true;
    state->timing = false;
    state->summary = false;
    ExplainBeginOutput(state);
    ExplainPrintPlan(state, query);
    ExplainEndOutput(state);
    const int length = pg_mbcliplen(state->str->data, state->str->len, most_plan_bytes);
    appendBinaryStringInfo(plans, state->str->data, length);
    if (length < state->str->len) appendStringInfo(plans, "... [%d bytes more]\n", state->str->len - length);
    MemoryContextSwitchTo(before);
}

void on_end(QueryDesc *query)
{
    if (query == outermost) {
        outermost = nullptr;
        if (clock_us() - outermost_began_us >= threshold_us && plans->len < most_plans_bytes) explain(query);
    }
    (previous_end ? previous_end : standard_ExecutorEnd)(query);
}

int64 sum(int64 shared, int64 local, int64 temporary) { return shared + local + temporary; }

}  // namespace

void install_sql_meter()
{
    call_pg([] {
        MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
        plans = makeStringInfo();
        MemoryContextSwitchTo(before);
    });
    previous_start = ExecutorStart_hook;
    ExecutorStart_hook = on_start;
    previous_end = ExecutorEnd_hook;
    ExecutorEnd_hook = on_end;
}

std::string measured_plans() { return {plans->data, static_cast<size_t>(plans->len)}; }

SqlMeter::SqlMeter(const char *sql, int64 plans_from_us, SqlCost &cost) : cost_(cost), buffers_(pgBufferUsage), wal_(pgWalUsage), began_us_(clock_us())
{
    measured = plans_from_us < 0 ? nullptr : sql;
    threshold_us = plans_from_us;
    outermost = nullptr;
    resetStringInfo(plans);
}

SqlMeter::~SqlMeter()
{
    measured = nullptr;
    outermost = nullptr;
    BufferUsage b{};
    BufferUsageAccumDiff(&b, &pgBufferUsage, &buffers_);
    cost_.duration_us = std::max<int64>(clock_us() - began_us_, 1);
    cost_.buffers_hit = sum(b.shared_blks_hit, b.local_blks_hit, 0);
    cost_.buffers_read = sum(b.shared_blks_read, b.local_blks_read, b.temp_blks_read);
    cost_.buffers_dirtied = sum(b.shared_blks_dirtied, b.local_blks_dirtied, 0);
    cost_.buffers_written = sum(b.shared_blks_written, b.local_blks_written, b.temp_blks_written);
    cost_.wal_bytes = static_cast<int64>(pgWalUsage.wal_bytes - wal_.wal_bytes);
}

}  // namespace orch::pg
