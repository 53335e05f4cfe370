#include "pg/sql_check.hpp"

extern "C" {
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
}

namespace orch::pg {

namespace {

// An error's text may quote a token of any length out of the statement.
std::string shortened(std::string text)
{
    constexpr int limit = 500;
    for (char &c : text)
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    if (text.size() <= limit) return text;
    text.resize(pg_mbcliplen(text.data(), static_cast<int>(text.size()), limit));
    return text + " ...";
}

bool has_option(List *options, const char *name)
{
    ListCell *cell;
    foreach (cell, options)
        if (std::strcmp(lfirst_node(DefElem, cell)->defname, name) == 0) return true;
    return false;
}

bool detaches_concurrently(const AlterTableStmt *alter)
{
    ListCell *cell;
    foreach (cell, alter->cmds) {
        const auto *command = reinterpret_cast<const AlterTableCmd *>(lfirst(cell));
        if (command->subtype == AT_DetachPartition && reinterpret_cast<const PartitionCmd *>(command->def)->concurrent) return true;
    }
    return false;
}

// Statements that PostgreSQL refuses inside a function or a transaction, or that would end the engine's own.
bool needs_own_transaction(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_TransactionStmt:
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_AlterSystemStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_CreateSubscriptionStmt:
    case T_DropSubscriptionStmt:
    case T_ListenStmt: return true;
    case T_VacuumStmt: return reinterpret_cast<const VacuumStmt *>(statement)->is_vacuumcmd;
    case T_ClusterStmt: return !reinterpret_cast<const ClusterStmt *>(statement)->relation;
    case T_IndexStmt: return reinterpret_cast<const IndexStmt *>(statement)->concurrent;
    case T_DropStmt: return reinterpret_cast<const DropStmt *>(statement)->concurrent;
    case T_ReindexStmt: {
        const auto *reindex = reinterpret_cast<const ReindexStmt *>(statement);
        return (reindex->kind != REINDEX_OBJECT_INDEX && reindex->kind != REINDEX_OBJECT_TABLE) || has_option(reindex->params, "concurrently");
    }
    case T_AlterTableStmt: return detaches_concurrently(reinterpret_cast<const AlterTableStmt *>(statement));
    case T_DiscardStmt: return reinterpret_cast<const DiscardStmt *>(statement)->target == DISCARD_ALL;
    default: return false;
    }
}

bool copies_with_client(const Node *statement) { return IsA(statement, CopyStmt) && !reinterpret_cast<const CopyStmt *>(statement)->filename; }

// A statement that reads and writes rows leaves the catalogue as it is.
bool may_change_catalogue(const Node *statement)
{
    switch (nodeTag(statement)) {
    case T_SelectStmt:  // select f() may create as well, as SELECT INTO does
        return true;
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt: return false;
    default: return true;
    }
}

SqlFault fault_of(const Refused &refused, bool behind_change)
{
    std::string detail = refused.detail;
    if (refused.position > 0) {
        if (!detail.empty()) detail += ' ';
        detail += "It is at character " + std::to_string(refused.position) + " of the text.";
    }
    const bool by_catalogue = refused.code != ERRCODE_SYNTAX_ERROR;
    return {shortened(refused.message), shortened(detail), shortened(refused.hint), by_catalogue, by_catalogue && behind_change};
}

void check_statement(Trials &trials, const char *source, RawStmt *raw, bool behind_change, SqlCheck &check)
{
    if (needs_own_transaction(raw->stmt)) {
        check.faults.push_back({std::string(GetCommandTagName(CreateCommandTag(raw->stmt))) + " cannot run in a SQL task",
                                "A SQL task runs in a transaction that commits its effect, its result and what follows together.",
                                "Run it from a command task with psql, or outside of the workflow.", false, false});
        return;
    }
    if (copies_with_client(raw->stmt)) {
        check.faults.push_back({"COPY from or to the client cannot run in a SQL task", "There is no client.",
                                "Copy from or to a file or a program, or write INSERT.", false, false});
        return;
    }
    Oid *types = nullptr;
    int parameters = 0;
    if (auto refused = trials.attempt([&] { parse_analyze_varparams(raw, source, &types, &parameters, nullptr); }))
        check.faults.push_back(fault_of(*refused, behind_change));
    check.parameters = std::max(check.parameters, parameters);
}

}  // namespace

SqlCheck check_sql(Trials &trials, const std::string &text)
{
    const char *source = text.c_str();
    SqlCheck check;
    List *statements = NIL;
    // The tree must outlive the trials, each of which clears what the one before it left.
    MemoryContext parsed = nullptr;
    call_pg([&] { parsed = AllocSetContextCreate(CurrentMemoryContext, "orch statements", ALLOCSET_SMALL_SIZES); });
    auto refused = trials.attempt([&] {
        MemoryContextSwitchTo(parsed);
        statements = raw_parser(source, RAW_PARSE_DEFAULT);
    });
    if (refused) check.faults.push_back(fault_of(*refused, false));
    if (!refused && statements == NIL) check.faults.push_back({"the text holds no statement", {}, {}, false, false});
    bool behind_change = false;
    for (int i = 0; i < list_length(statements); i++) {
        auto *raw = static_cast<RawStmt *>(list_nth(statements, i));
        const bool changes = may_change_catalogue(raw->stmt);
        check_statement(trials, source, raw, behind_change, check);
        behind_change |= changes;
    }
    MemoryContextDelete(parsed);
    return check;
}

}  // namespace orch::pg
