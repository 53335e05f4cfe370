#include "engine/installation.hpp"

#include "engine/audit.hpp"
#include "shared/mark.hpp"

namespace orch::engine {

namespace {

// The tables, not only the extension's row: it is written first, and a restore fills it step by step.
bool tables_are_here()
{
    bool here = false;
    pg::call_pg([&] {
        Oid schema = get_namespace_oid("_orch", true);
        here = OidIsValid(schema) && OidIsValid(get_relname_relid("run", schema)) && OidIsValid(get_relname_relid("installation", schema));
    });
    return here;
}

// Inside a call.
Standing found_in_row()
{
    static pg::Statement select("select system_identifier, database_oid, adopted_mark from _orch.installation", {});
    const pg::Rows rows = select.run(Parameters<1>());
    if (rows.empty()) return Standing::unused;
    if (rows.int8(0, 1) != static_cast<int64>(GetSystemIdentifier()) || DatumGetObjectId(rows.get(0, 2)) != MyDatabaseId) return Standing::copied;
    const std::optional<core::Uuid> &mark = shared::mark();
    if (mark && (rows.is_null(0, 3) || pg::uuid_of(rows.get(0, 3)) != *mark)) return Standing::restored;
    return Standing::ours;
}

// $1 to $4 of the statements below.
Parameters<4> this_place(const Call &call)
{
    Parameters<4> place;
    place.add(Int64GetDatum(static_cast<int64>(GetSystemIdentifier()))).add(ObjectIdGetDatum(MyDatabaseId)).add(time_datum(call.now()));
    const std::optional<core::Uuid> &mark = shared::mark();
    return place.add(mark ? std::optional(pg::uuid_datum(*mark)) : std::nullopt);
}

}  // namespace

Standing standing()
{
    if (!OidIsValid(pg::extension_oid()) || !tables_are_here()) return Standing::absent;
    Call call;
    const Standing result = found_in_row();
    call.finish();
    return result;
}

void claim_installation(Call &call)
{
    static pg::Statement insert("insert into _orch.installation (system_identifier, database_oid, adopted_at, adopted_mark) values ($1, $2, $3, $4)"
                                " on conflict do nothing",
                                {INT8OID, OIDOID, TIMESTAMPTZOID, UUIDOID});
    const Standing found = found_in_row();
    if (found == Standing::unused) insert.run(this_place(call));
    else if (found != Standing::ours) raise_held();
}

bool adopt(Call &call)
{
    static pg::Statement update(
        "update _orch.installation set system_identifier = $1, database_oid = $2, adopted_at = $3, adopted_mark = $4"
        " where (system_identifier, database_oid) is distinct from ($1, $2) or adopted_mark is distinct from coalesce($4, adopted_mark)",
        {INT8OID, OIDOID, TIMESTAMPTZOID, UUIDOID});
    ForceSyncCommit();
    update.run(this_place(call));
    if (update.processed() == 0) return false;
    audit(call, {.action = "adopt", .tenant = call.tenant()});
    return true;
}

}  // namespace orch::engine
