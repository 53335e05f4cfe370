// Procedures that sleep for a client: without a transaction's locks, snapshot or id, and no longer than the client is there.
//
//   require_top_level   a CALL of its own, outside of any transaction block, else 25001
//   NonAtomic           SPI that may commit: once before the sleep at least, since CALL itself runs under a snapshot, which vacuum would wait for
//   sleep_for_client    the latch, the client's socket or the time, whatever comes first
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// Raises 25001 where the procedure was called inside a transaction block, a function, or anything else that holds a transaction open around it.
void require_top_level(FunctionCallInfo fcinfo, const char *procedure);

/// Opened before the first statement and closed at the end. Not RAII, as Session: an abort closes it.
class NonAtomic {
public:
    void open();
    /// Ends the transaction: what was read has left nothing behind. The next one begins without a snapshot.
    void commit();
    void close();
};

/// Runs f under a snapshot of its own, then commits: a short transaction in the middle of a call. For NonAtomic.
template <class F>
void in_short_transaction(NonAtomic &outer, F &&f)
{
    call_pg([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    f();
    call_pg([] { PopActiveSnapshot(); });
    outer.commit();
}

enum class Woken : uint8_t { latch, client, timeout };

/// Sleeps until this process's latch is set, the client has gone, or with `readable` has sent more, or `timeout_ms` (below 0: none) have passed. Interruptible.
/// The latch is reset: look again at whatever sets it.
Woken sleep_for_client(int64 timeout_ms, bool readable, const char *wait_event_name);

}  // namespace orch::pg
