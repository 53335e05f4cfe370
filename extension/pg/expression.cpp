#include "pg/expression.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/jsonpath.h"
}

namespace orch::pg {

namespace {

constinit bool timeout_registered = false;
constinit TimeoutId timeout_id = MAX_TIMEOUTS;
volatile sig_atomic_t timeout_fired = false;
volatile int64 cpu_limit_us = 0;

int64 cpu_time_us()
{
    timespec spent{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return spent.tv_sec * INT64CONST(1'000'000) + spent.tv_nsec / 1000;
}

// In a signal handler: flags and the latch, nothing more. The path's own loop meets CHECK_FOR_INTERRUPTS. Only time on a processor counts: on a machine that is busy
// with other things, or was asleep, an expression would be refused that is not to blame.
void on_timeout()
{
    if (cpu_time_us() < cpu_limit_us) return;
    timeout_fired = true;
    QueryCancelPending = true;
    InterruptPending = true;
    SetLatch(MyLatch);
}

class Timer {
public:
    explicit Timer(int limit_ms)
    {
        timeout_fired = false;
        held_ = QueryCancelHoldoffCount;
        QueryCancelHoldoffCount = 0;
        cpu_limit_us = cpu_time_us() + limit_ms * INT64CONST(1000);
        call_pg([=] {
            if (!timeout_registered) {
                timeout_id = RegisterTimeout(USER_TIMEOUT, on_timeout);
                timeout_registered = true;
            }
            enable_timeout_every(timeout_id, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), limit_ms), std::max(1, limit_ms / 4));
        });
    }
    // disable_timeout only takes the entry out of a static array: it does not ereport.
    ~Timer()
    {
        disable_timeout(timeout_id, false);
        // It may have fired after the last look: that cancel was ours and must not hit what comes next.
        if (timeout_fired) QueryCancelPending = false;
        QueryCancelHoldoffCount = held_;
    }
    Timer(const Timer &) = delete;
    Timer &operator=(const Timer &) = delete;

private:
    uint32 held_ = 0;  // a caller that holds cancels off must still let ours through
};

Datum empty_object()
{
    JsonbParseState *state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
}

}  // namespace

void bounded(int limit_ms, const std::function<void()> &f)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    call_pg([&] {
        BeginInternalSubTransaction(nullptr);
        MemoryContextSwitchTo(context);
    });
    auto roll_back = [&] {
        call_pg([&] {
            RollbackAndReleaseCurrentSubTransaction();
            MemoryContextSwitchTo(context);
            CurrentResourceOwner = owner;
            SetUserIdAndSecContext(user, security);
        });
    };
    std::optional<expression_failed> failed;
    try {
        Timer timer(limit_ms);
        f();
    } catch (const pg_error &e) {
        // A cancel that is not ours (statement_timeout, pg_cancel_backend) is the caller's affair.
        if (e.data->sqlerrcode == ERRCODE_QUERY_CANCELED && !timeout_fired) {
            roll_back();
            throw;
        }
        if (e.data->sqlerrcode == ERRCODE_QUERY_CANCELED)
            failed = expression_failed{true, "the expression took longer than orch.expression_timeout (" + std::to_string(limit_ms) + " ms)"};
        else failed = expression_failed{false, e.data->message};
    } catch (...) {
        roll_back();
        throw;
    }
    if (failed) {
        roll_back();
        throw *failed;
    }
    call_pg([&] {
        ReleaseCurrentSubTransaction();
        MemoryContextSwitchTo(context);
        CurrentResourceOwner = owner;
    });
}

std::optional<Datum> find_path(Datum document, const std::string &path)
{
    const char *text = path.c_str();
    Jsonb *found = nullptr;
    JsonbValue *single = nullptr;
    Datum result = 0;
    bool nothing = false;
    call_pg([&] {
        Datum compiled = DirectFunctionCall1(jsonpath_in, CStringGetDatum(text));
        found = DatumGetJsonbP(DirectFunctionCall4(jsonb_path_query_array, document, compiled, empty_object(), BoolGetDatum(true)));
        const uint32 count = JB_ROOT_COUNT(found);
        nothing = count == 0;
        if (count == 1) {
            single = getIthJsonbValueFromContainer(&found->root, 0);
            result = JsonbPGetDatum(JsonbValueToJsonb(single));
        } else {
            result = JsonbPGetDatum(found);
        }
    });
    if (nothing) return std::nullopt;
    return result;
}

bool path_holds(Datum document, const std::string &path)
{
    const char *text = path.c_str();
    bool holds = false;
    call_pg([&] {
        Datum compiled = DirectFunctionCall1(jsonpath_in, CStringGetDatum(text));
        LOCAL_FCINFO(info, 4);
        InitFunctionCallInfoData(*info, nullptr, 4, InvalidOid, nullptr, nullptr);
        info->args[0] = {document, false};
        info->args[1] = {compiled, false};
        info->args[2] = {empty_object(), false};
        info->args[3] = {BoolGetDatum(true), false};
        Datum result = jsonb_path_match(info);
        holds = !info->isnull && DatumGetBool(result);
    });
    return holds;
}

std::optional<std::string> path_fault(std::string_view path)
{
    const std::string copy(path);
    const char *text = copy.c_str();
    try {
        bounded(1000, [&] { call_pg([&] { DirectFunctionCall1(jsonpath_in, CStringGetDatum(text)); }); });
        return std::nullopt;
    } catch (const expression_failed &e) {
        return e.message;
    }
}

}  // namespace orch::pg
