// The only crossing between C++ exceptions and PostgreSQL's longjmp.
//
//   PostgreSQL calls us   -> entry<fn>: nothing C++ leaves it; what was thrown becomes an ereport after the catch block is left
//   we call PostgreSQL    -> call_pg(lambda): an ereport becomes pg_error, thrown only after PG_END_TRY
//
// A lambda given to call_pg holds C calls and plain data only: an ereport jumps over its frame without running destructors.
#pragma once

#include "pg/error.hpp"

namespace orch::pg {

template <class F>
void call_pg(F &&f)
{
    MemoryContext context = CurrentMemoryContext;
    ErrorData *volatile caught = nullptr;
    PG_TRY();
    {
        f();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        caught = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    if (caught) throw pg_error{caught};
}

/// What entry carries out of the catch block: plain data only, so that the frame that reports owns no C++ object.
struct failure {
    ErrorData *rethrow;
    int code;
    char *message;
    char *detail;
    char *hint;
};

/// Call inside a catch (...) block only.
failure describe_current_exception() noexcept;

/// Raises what describe_current_exception found.
[[noreturn]] void report(const failure &f);

/// Logs it at the given level instead and goes on: for background loops that outlive an error.
void log_failure(const failure &f, const char *doing, const char *next);

template <auto fn, class... Arguments>
auto guarded(Arguments... arguments) -> decltype(fn(arguments...))
{
    failure f{};
    try {
        return fn(arguments...);
    } catch (...) {
        f = describe_current_exception();
    }
    report(f);
}

/// A SQL-callable function: Datum symbol(FunctionCallInfo).
template <auto fn>
Datum entry(FunctionCallInfo fcinfo)
{
    return guarded<fn>(fcinfo);
}

}  // namespace orch::pg

/// Exports `fn` (Datum fn(FunctionCallInfo), free to throw) under a C symbol for create function.
#define ORCH_FUNCTION(symbol, fn)                                                      \
    extern "C" {                                                                       \
    PG_FUNCTION_INFO_V1(symbol);                                                       \
    PGDLLEXPORT Datum symbol(PG_FUNCTION_ARGS) { return orch::pg::entry<fn>(fcinfo); } \
    }
