// One turn of a background worker: a transaction, the check that the extension is here, bounded work, commit; on an error abort, say once what happens next, and let the caller wait.
#pragma once

#include "pg/bridge.hpp"

namespace orch::background {

/// What a turn does. Returns true when more of the same is left. Runs inside the turn's transaction with a snapshot; may throw.
using Work = bool (*)(void *argument);

enum class TurnEnd : uint8_t { done, more, absent, failed };

/// Runs one turn. `doing` is what pg_stat_activity shows and an error's log line begins with; `next` says what happens after an error.
/// absent: the extension is not in this database; the work was not called.
TurnEnd turn(const char *doing, const char *next, Work work, void *argument = nullptr);

/// What went wrong in a turn, copied out before its transaction was aborted.
struct Caught {
    std::string code;  // SQLSTATE
    std::string message, detail;
};

/// The same, where the caller says what becomes of an error: nothing is logged.
TurnEnd turn(const char *doing, Caught &caught, Work work, void *argument = nullptr);

/// The same for work that needs no extension: the launcher's.
TurnEnd bare_turn(const char *doing, const char *next, Work work, void *argument = nullptr);

/// What every worker's main begins with: signal handlers, signals unblocked, the configuration as it is now. Database InvalidOid: no database.
void begin_worker(Oid database, Oid role);

/// Sleeps until the latch is set or `timeout_ms` passed (-1: for ever); then takes a pending SIGHUP and exits on SIGTERM. May ereport.
void sleep_until_woken(int64_t timeout_ms, const char *wait_event);

}  // namespace orch::background
