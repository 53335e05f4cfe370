// What the launcher and the hooks know of all databases: who wants a steward, who must leave.
#pragma once

#include "pg/postgres.hpp"

namespace orch::shared {

/// This process is the launcher until it exits.
void become_launcher();

struct DatabaseNote {
    Oid oid;
    bool wants_steward;
    bool left_in_order;  // the last steward did not die
    bool aside;
    pid_t steward;  // 0 = none
};
/// The slots in use; returns how many were written, at most max_databases.
int database_notes(DatabaseNote *out) noexcept;

/// Frees the slot of a database that pg_database does not have any more.
void forget_database(Oid oid) noexcept;

/// Asks the steward and the SQL runners of a database to leave, so that this session can drop, rename, move or copy it. True when there were any.
/// They may come back when this transaction ends.
bool step_aside(Oid oid);
/// How many of them are still there; `terminate` sends them SIGTERM.
int still_there(Oid oid, bool terminate) noexcept;
/// For the callback at the end of the transaction.
void come_back() noexcept;

/// The steward's: the extension that memory was rebuilt for, invalid before that.
Oid built_for();
void set_built_for(Oid extension);
/// The steward exits on purpose: it may be started again at once.
void leave_in_order() noexcept;

/// Whether this database's background workers are to leave.
bool told_to_leave() noexcept;

/// At commit: the launcher looks which databases are left.
void on_commit_wake_launcher();
/// At commit: this database's steward looks whether the extension is still here.
void on_commit_recheck();
/// For the steward: clears the request.
bool take_recheck() noexcept;

void wake_all_stewards() noexcept;

/// Whether database() was called here, or the slot exists: makes none.
bool has_slot() noexcept;

/// Registers this backend's cleanup of everything it may put into shared memory. Idempotent; may ereport, so before taking anything.
void register_exit_cleanup();

}  // namespace orch::shared
