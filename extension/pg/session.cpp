#include "pg/session.hpp"

#include "pg/compat.hpp"

namespace orch::pg {

namespace {

constinit Oid cached_role = InvalidOid;
constinit bool callback_registered = false;

void forget_role(Datum, int, uint32) { cached_role = InvalidOid; }

}  // namespace

Oid engine_role()
{
    if (OidIsValid(cached_role)) return cached_role;
    Oid role = InvalidOid;
    call_pg([&] {
        if (!callback_registered) {
            CacheRegisterSyscacheCallback(AUTHOID, forget_role, static_cast<Datum>(0));
            callback_registered = true;
        }
        role = get_role_oid("orch_engine", true);
    });
    if (!OidIsValid(role))
        throw error{ERRCODE_UNDEFINED_OBJECT, "role \"orch_engine\" does not exist", "The engine's tables belong to it.",
                    "Create the extension again, or restore the roles before the database."};
    cached_role = role;
    return role;
}

Oid gate()
{
    const Oid schema = get_namespace_oid("_orch", true);
    return OidIsValid(schema) ? get_relname_relid("installation", schema) : InvalidOid;
}

Oid extension_oid()
{
    // PostgreSQL reads pg_extension each time; its tables go with the extension and are found in a cache.
    static constinit Oid known = InvalidOid, known_by = InvalidOid;
    call_pg([&] {
        const Oid table = gate();
        if (OidIsValid(table) && table == known_by) return;
        known = get_extension_oid("orch", true);
        known_by = OidIsValid(known) ? table : InvalidOid;
    });
    return known;
}

std::string role_name(Oid role)
{
    char *name = nullptr;
    call_pg([&] { name = GetUserNameFromId(role, false); });
    return name;
}

void Session::open()
{
    const Oid engine = engine_role();
    outer_ = CurrentMemoryContext;
    call_pg([&] {
        GetUserIdAndSecContext(&caller_, &security_);
        const Oid table = gate();
        if (OidIsValid(table)) LockRelationOid(table, AccessShareLock);
        // It may have gone while we waited.
        if (OidIsValid(table) && gate() != table) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("extension \"orch\" was dropped")));
        SPI_connect();
        SetUserIdAndSecContext(engine, security_ | SECURITY_LOCAL_USERID_CHANGE);
        path_ = pin_search_path();
    });
}

void Session::close()
{
    call_pg([&] {
        restore_search_path(path_);
        SetUserIdAndSecContext(caller_, security_);
        SPI_finish();
    });
}

}  // namespace orch::pg
