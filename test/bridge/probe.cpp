// Errors in both directions across the bridge, provoked: functions that a test loads beside the extension. They are built with the bridge's own sources.
#include "pg/isolated.hpp"

#include <stdexcept>

extern "C" {
PG_MODULE_MAGIC;
}

namespace {

using namespace orch::pg;

// Counts destructors: a longjmp across a C++ frame would skip one.
int alive = 0;
struct Counted {
    Counted() { alive++; }
    ~Counted() { alive--; }
};

std::string argument(FunctionCallInfo fcinfo)
{
    char *copy = nullptr;
    call_pg([&] { copy = text_to_cstring(DatumGetTextPP(fcinfo->args[0].value)); });
    return copy;
}

// C++ to PostgreSQL: whatever is thrown becomes an error with a code.
Datum throws(FunctionCallInfo fcinfo)
{
    const Counted counted;
    const std::string what = argument(fcinfo);
    if (what == "standard") throw std::runtime_error("thrown by the standard library");
    if (what == "memory") throw std::bad_alloc();
    if (what == "number") throw 42;
    throw error{idempotency_conflict, "thrown by orch", "A detail.", "A hint."};
}

// PostgreSQL to C++ and back: an error raised below C++ objects keeps its code, and the objects are destroyed.
Datum raises_below_objects(FunctionCallInfo)
{
    const Counted outer;
    std::vector<std::string> owned(100, std::string(100, 'x'));
    try {
        const Counted inner;
        call_pg([] { ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("raised below C++ objects"), errdetail("Its detail."))); });
    } catch (const pg_error &e) {
        if (alive != 1) throw std::runtime_error("a destructor was skipped");
        throw;
    }
    return 0;
}

// PostgreSQL calls us back from its own C code: what is thrown there crosses those frames as an error, and is an exception again outside.
int compare(const void *, const void *, void *) { throw error{lease_lost, "thrown inside a callback", {}, {}}; }

int guarded_compare(const void *a, const void *b, void *c) { return guarded<compare>(a, b, c); }

Datum throws_in_callback(FunctionCallInfo)
{
    const Counted counted;
    int numbers[] = {3, 1, 2};
    call_pg([&] { qsort_arg(numbers, 3, sizeof(int), guarded_compare, nullptr); });
    return 0;
}

// Catches n errors, each in a subtransaction, and goes on; returns the bytes of all memory contexts afterwards.
Datum catches(FunctionCallInfo fcinfo)
{
    const int32 count = DatumGetInt32(fcinfo->args[0].value);
    for (int32 i = 0; i < count; i++) {
        try {
            const Counted counted;
            std::string large(1000, 'x');
            MemoryContext context = CurrentMemoryContext;
            ResourceOwner owner = CurrentResourceOwner;
            call_pg([&] {
                BeginInternalSubTransaction(nullptr);
                MemoryContextSwitchTo(CurTransactionContext);
            });
            try {
                if (i % 2) throw std::runtime_error(large);
                call_pg([&] { ereport(ERROR, (errcode(ERRCODE_DIVISION_BY_ZERO), errmsg("%s", large.c_str()))); });
            } catch (...) {
                // Copied into the subtransaction's memory, which goes with it.
                describe_current_exception();
            }
            call_pg([&] {
                RollbackAndReleaseCurrentSubTransaction();
                MemoryContextSwitchTo(context);
                CurrentResourceOwner = owner;
            });
        } catch (const pg_error &) {
            throw std::runtime_error("a rollback raised");
        }
    }
    if (alive != 0) throw std::runtime_error("a destructor was skipped");
    int64 bytes = 0;
    call_pg([&] { bytes = static_cast<int64>(MemoryContextMemAllocated(TopMemoryContext, true)); });
    return Int64GetDatum(bytes);
}

Datum objects_alive(FunctionCallInfo) { return Int32GetDatum(alive); }

}  // namespace

ORCH_FUNCTION(probe_throws, throws)
ORCH_FUNCTION(probe_raises_below_objects, raises_below_objects)
ORCH_FUNCTION(probe_throws_in_callback, throws_in_callback)
ORCH_FUNCTION(probe_catches, catches)
ORCH_FUNCTION(probe_objects_alive, objects_alive)
