// Reading the arguments of a SQL call, and the shapes that answers have.
#pragma once

#include "engine/call.hpp"
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
