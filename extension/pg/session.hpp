// One call of the engine into the database: SPI is connected, the user is the engine's role, the search_path is pinned.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// Opened at the start of a SQL entry and closed at its end. Not RAII on purpose: on an error the (sub)transaction's abort restores user, path and SPI,
/// and a destructor that called PostgreSQL during unwinding could ereport.
class Session {
public:
    /// Connects and becomes the engine's role. Raises when the extension is not there.
    void open();

    /// Leaves everything as it was; results must have been copied to `outer` by then.
    void close();

    /// The role that called us, at any depth of functions.
    Oid caller() const { return caller_; }

    /// The context that the entry was called in: results go here.
    MemoryContext outer() const { return outer_; }

private:
    Oid caller_ = InvalidOid;
    int security_ = 0;
    int path_ = 0;
    MemoryContext outer_ = nullptr;
};

/// The oid of orch_engine; looked up once a backend and again when pg_authid changed.
Oid engine_role();

/// The table that every call locks first, in the weakest mode; invalid where it is not there. Who locks it alone waits for every transaction that has used orch, and keeps out the
/// others before they hold anything else of ours: DROP EXTENSION locks table by table, and would end in a deadlock with them. Plain C; may ereport.
Oid gate();

/// The oid of the extension in this database, invalid where it is not installed.
Oid extension_oid();

/// The name of a role, for actors and for SQL tasks. Raises for an unknown one.
std::string role_name(Oid role);

}  // namespace orch::pg
