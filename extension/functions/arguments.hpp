// Reading the arguments of a SQL call, and the shapes that answers have.
#pragma once

#include "engine/trigger.hpp"
#include "pg/result_set.hpp"

namespace orch::functions {

class Arguments {
public:
    explicit Arguments(FunctionCallInfo fcinfo) : info_(fcinfo) {}

    bool is_null(int i) const { return info_->args[i].isnull; }
    std::optional<Datum> maybe(int i) const { return is_null(i) ? std::nullopt : std::optional<Datum>(info_->args[i].value); }

    /// The value; raises 22004 naming the argument where it is null.
    Datum required(int i, const char *name) const
    {
        if (is_null(i)) throw pg::error{ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " may not be null", {}, {}};
        return info_->args[i].value;
    }
    std::string text(int i, const char *name) const { return pg::text_of(required(i, name)); }
    std::optional<std::string> maybe_text(int i) const { return is_null(i) ? std::nullopt : std::optional<std::string>(pg::text_of(info_->args[i].value)); }
    core::Uuid uuid(int i, const char *name) const { return pg::uuid_of(required(i, name)); }
    int32 int4(int i, const char *name) const { return DatumGetInt32(required(i, name)); }

    /// Microseconds of an interval, at most some 290,000 years; a month counts as 30 days.
    std::optional<int64> microseconds(int i) const
    {
        if (is_null(i)) return std::nullopt;
        const Interval *interval = DatumGetIntervalP(info_->args[i].value);
        const int64 days = interval->day + static_cast<int64>(interval->month) * DAYS_PER_MONTH;
        int64 us;
        if (pg_mul_s64_overflow(days, USECS_PER_DAY, &us) || pg_add_s64_overflow(us, interval->time, &us)) return days < 0 ? INT64_MIN : INT64_MAX;
        return us;
    }

private:
    FunctionCallInfo info_;
};

/// A settle in a transaction that the caller keeps open must not hold more than its own rows.
inline bool in_callers_transaction() { return IsTransactionBlock() || IsSubTransaction() || XactIsoLevel > XACT_READ_COMMITTED; }

/// priority, run_at, tags, timeout, traceparent, source, version: in this order, from argument `first` on.
inline engine::TriggerOptions options_from(const Arguments &arguments, int first)
{
    engine::TriggerOptions o;
    if (!arguments.is_null(first)) o.priority = arguments.int4(first, "priority");
    if (auto at = arguments.maybe(first + 1)) {
        o.run_at = DatumGetTimestampTz(*at);
        if (TIMESTAMP_NOT_FINITE(*o.run_at)) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "run_at must be a moment that comes", {}, {}};
    }
    o.tags = arguments.maybe(first + 2);
    o.timeout_us = arguments.microseconds(first + 3);
    o.traceparent = arguments.maybe_text(first + 4);
    o.source = arguments.text(first + 5, "source");
    if (!arguments.is_null(first + 6)) o.version = arguments.int4(first + 6, "version");
    return o;
}

/// One row of the function's composite result, made in the caller's memory.
template <int N>
Datum one_row(FunctionCallInfo fcinfo, const std::optional<Datum> (&values)[N])
{
    Datum datums[N];
    bool nulls[N];
    for (int i = 0; i < N; i++) {
        nulls[i] = !values[i];
        datums[i] = values[i].value_or(0);
    }
    Datum result = 0;
    pg::call_pg([&] {
        TupleDesc description;
        if (get_call_result_type(fcinfo, nullptr, &description) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
        result = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), datums, nulls));
    });
    return result;
}

/// Rows kept as text and Datums until the session is closed: they must live in the caller's memory by then.
inline Datum outer_text(const engine::Call &call, std::string_view text) { return engine::to_outer(call, pg::text_datum(text)); }

}  // namespace orch::functions
