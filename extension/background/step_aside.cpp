#include "background/step_aside.hpp"

#include "pg/bridge.hpp"
#include "pg/compat.hpp"
#include "pg/session.hpp"
#include "shared/clock.hpp"
#include "shared/launching.hpp"

extern "C" {
#include "nodes/parsenodes.h"
}

namespace orch::background {

namespace {

// How long they may take to leave by themselves, and then after SIGTERM. PostgreSQL itself waits five seconds more before it gives up.
constexpr int64_t politely_us = 1'000'000;
constexpr int64_t at_all_us = 3'000'000;

ProcessUtility_hook_type next_utility;
object_access_hook_type next_access;

// Plain C from here to the hooks: no C++ object lives in these frames.

const char *template_of(const CreatedbStmt *statement)
{
    ListCell *cell;
    foreach (cell, statement->options) {
        auto *option = static_cast<DefElem *>(lfirst(cell));
        if (std::strcmp(option->defname, "template") == 0 && option->arg) return defGetString(option);
    }
    return "template1";
}

bool has_option(const AlterDatabaseStmt *statement, const char *name)
{
    ListCell *cell;
    foreach (cell, statement->options)
        if (std::strcmp(static_cast<DefElem *>(lfirst(cell))->defname, name) == 0) return true;
    return false;
}

/// ALTER DATABASE ... ALLOW_CONNECTIONS: the launcher passes over a closed database, and looks again only when it is woken.
bool opens(Node *statement)
{
    return nodeTag(statement) == T_AlterDatabaseStmt && has_option(reinterpret_cast<AlterDatabaseStmt *>(statement), "allow_connections");
}

/// DROP EXTENSION orch: the steward works with the very tables that go, and would end in a deadlock with the drop.
bool drops_us(Node *statement)
{
    if (nodeTag(statement) != T_DropStmt) return false;
    auto *drop = reinterpret_cast<DropStmt *>(statement);
    if (drop->removeType != OBJECT_EXTENSION) return false;
    ListCell *cell;
    foreach (cell, drop->objects) {
        if (std::strcmp(strVal(lfirst(cell)), "orch") != 0) continue;
        const Oid extension = get_extension_oid("orch", true);
        return OidIsValid(extension) && pg::owns_extension(extension, GetUserId());
    }
    return false;
}

/// The database that the command needs for itself, or nullptr.
const char *wanted_alone(Node *statement)
{
    switch (nodeTag(statement)) {
    case T_DropdbStmt: return reinterpret_cast<DropdbStmt *>(statement)->dbname;
    case T_CreatedbStmt: return template_of(reinterpret_cast<CreatedbStmt *>(statement));
    case T_AlterDatabaseStmt: {
        auto *alter = reinterpret_cast<AlterDatabaseStmt *>(statement);
        return has_option(alter, "tablespace") ? alter->dbname : nullptr;
    }
    case T_RenameStmt: {
        auto *rename = reinterpret_cast<RenameStmt *>(statement);
        return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    default: return nullptr;
    }
}

/// Somebody who may not do it shall not disturb those who work there.
bool may(Oid database)
{
    HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple)) return false;
    auto *row = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    const bool allowed = has_privs_of_role(GetUserId(), row->datdba) || (row->datistemplate && have_createdb_privilege());
    ReleaseSysCache(tuple);
    return allowed;
}

void wait_until_gone(Oid database)
{
    const int64_t begin = shared::monotonic_us();
    bool terminated = false;
    for (;;) {
        const int64_t waited = shared::monotonic_us() - begin;
        if (shared::still_there(database, false) == 0 || waited > at_all_us) return;
        if (!terminated && waited > politely_us) {
            shared::still_there(database, true);
            terminated = true;
        }
        pg_usleep(5'000);
        CHECK_FOR_INTERRUPTS();
    }
}

void next(PlannedStmt *statement, const char *query, bool read_only, ProcessUtilityContext context, ParamListInfo parameters, QueryEnvironment *environment,
          DestReceiver *receiver, QueryCompletion *completion)
{
    if (next_utility) next_utility(statement, query, read_only, context, parameters, environment, receiver, completion);
    else standard_ProcessUtility(statement, query, read_only, context, parameters, environment, receiver, completion);
}

bool ask_to_leave(Oid database) { return shared::step_aside(database); }

void note_change(bool dropped_extension)
{
    if (!dropped_extension) shared::on_commit_wake_launcher();
    else if (shared::has_slot()) shared::on_commit_recheck();
}

void on_utility(PlannedStmt *statement, const char *query, bool read_only, ProcessUtilityContext context, ParamListInfo parameters,
                QueryEnvironment *environment, DestReceiver *receiver, QueryCompletion *completion)
{
    const char *name = wanted_alone(statement->utilityStmt);
    const Oid database = name ? get_database_oid(name, true) : InvalidOid;
    // They come back when this transaction has ended, well or not: before its commit the launcher would still see a database that is being dropped.
    if (OidIsValid(database) && database != MyDatabaseId && may(database) && pg::guarded<ask_to_leave>(database)) wait_until_gone(database);
    if (drops_us(statement->utilityStmt)) {
        if (pg::guarded<ask_to_leave>(MyDatabaseId)) wait_until_gone(MyDatabaseId);
        const Oid table = pg::gate();
        if (OidIsValid(table)) LockRelationOid(table, AccessExclusiveLock);
    }
    next(statement, query, read_only, context, parameters, environment, receiver, completion);
    if (opens(statement->utilityStmt)) pg::guarded<note_change>(false);
}

void on_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *argument)
{
    if (next_access) next_access(access, class_id, object_id, sub_id, argument);
    if (access != OAT_DROP) return;
    if (class_id == DatabaseRelationId) {
        pg::guarded<note_change>(false);
    } else if (class_id == ExtensionRelationId) {
        const char *name = get_extension_name(object_id);
        if (name && std::strcmp(name, "orch") == 0) pg::guarded<note_change>(true);
    }
}

}  // namespace

void install_step_aside_hooks()
{
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = on_utility;
    next_access = object_access_hook;
    object_access_hook = on_access;
}

}  // namespace orch::background
