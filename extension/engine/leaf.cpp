#include "engine/leaf.hpp"

#include "pg/bridge.hpp"

namespace orch::engine {

bool leaf_exists(int day)
{
    const std::string name = "task_" + pg::day_name(day);
    Oid relation = InvalidOid;
    const char *text = name.c_str();
    pg::call_pg([&] {
        Oid schema = get_namespace_oid("_orch", true);
        if (OidIsValid(schema)) relation = get_relname_relid(text, schema);
    });
    return OidIsValid(relation);
}

bool lock_leaf(int day)
{
    const std::string name = pg::day_name(day);
    const char *text = name.c_str();
    bool all = true;
    pg::call_pg([&] {
        const Oid schema = get_namespace_oid("_orch", true);
        for (const char *parent : {"run", "task", "event"}) {
            char leaf[NAMEDATALEN];
            snprintf(leaf, sizeof leaf, "%s_%s", parent, text);
            const Oid relation = OidIsValid(schema) ? get_relname_relid(leaf, schema) : InvalidOid;
            if (OidIsValid(relation)) LockRelationOid(relation, AccessShareLock);
            // It may have gone while we waited for the lock.
            all = all && OidIsValid(relation) && SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation));
        }
    });
    return all;
}

std::vector<int> leaf_days()
{
    static pg::Statement statement("select (pg_catalog.substr(c.relname, 5)::date - '1970-01-01'::date)::int4"
                                   " from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid"
                                   " where i.inhparent = '_orch.run'::regclass and not i.inhdetachpending"
                                   " order by 1",
                                   {});
    pg::Rows rows = statement.run(pg::Parameters<1>());
    std::vector<int> days;
    for (uint64 i = 0; i < rows.count(); i++) days.push_back(rows.int4(i, 1));
    return days;
}

}  // namespace orch::engine
