#include "pg/sleep.hpp"

#include "pg/compat.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace orch::pg {

namespace {

constexpr int64 longest_sleep_ms = 3'600'000;  // WaitLatch takes no more than an int, and the caller looks again anyway

}  // namespace

void require_top_level(FunctionCallInfo fcinfo, const char *procedure)
{
    const auto *context = reinterpret_cast<const CallContext *>(fcinfo->context);
    if (context && IsA(context, CallContext) && !context->atomic) return;
    throw error{ERRCODE_ACTIVE_SQL_TRANSACTION, std::string(procedure) + " cannot run inside a transaction block",
                "It sleeps, and whatever the transaction holds would stay held meanwhile.", "CALL it as a statement of its own, with autocommit on."};
}

void NonAtomic::open()
{
    call_pg([] { SPI_connect_ext(SPI_OPT_NONATOMIC); });
}

void NonAtomic::commit()
{
    call_pg([] { SPI_commit(); });
}

void NonAtomic::close()
{
    call_pg([] { SPI_finish(); });
}

Woken sleep_for_client(int64 timeout_ms, bool readable, const char *wait_event_name)
{
    int events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT;
    pgsocket socket = PGINVALID_SOCKET;
    if (MyProcPort) {
        socket = MyProcPort->sock;
        if (WaitEventSetCanReportClosed()) events |= WL_SOCKET_CLOSED;
        if (readable) events |= WL_SOCKET_READABLE;
        if (!(events & (WL_SOCKET_CLOSED | WL_SOCKET_READABLE))) socket = PGINVALID_SOCKET;
    }
    const int64 limit = timeout_ms < 0 ? longest_sleep_ms : std::min(timeout_ms, longest_sleep_ms);
    int happened = 0;
    call_pg([&] {
        happened = WaitLatchOrSocket(MyLatch, events, socket, static_cast<long>(limit), wait_event(wait_event_name));
        if (happened & WL_LATCH_SET) ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    });
    if (happened & WL_LATCH_SET) return Woken::latch;
    if (happened & (WL_SOCKET_CLOSED | WL_SOCKET_READABLE)) return Woken::client;
    return Woken::timeout;
}

}  // namespace orch::pg
