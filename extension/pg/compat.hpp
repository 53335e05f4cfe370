// The only place that asks for PostgreSQL's version.
#pragma once

#include "pg/postgres.hpp"

#if PG_VERSION_NUM < 150000
#error "orch needs PostgreSQL 15 or newer"
#endif

#if PG_VERSION_NUM >= 180000
extern "C" {
#include "commands/explain_format.h"
#include "commands/explain_state.h"
}
#endif

namespace orch::pg {

/// The wait event that a sleeping process of ours shows in pg_stat_activity: a name of its own from 17 on, "Extension" before.
inline uint32 wait_event([[maybe_unused]] const char *name)
{
#if PG_VERSION_NUM >= 170000
    return WaitEventExtensionNew(name);
#else
    return PG_WAIT_EXTENSION;
#endif
}

/// The number of this process among all PGPROCs, and the latch of another one by it.
inline int my_process_number()
{
#if PG_VERSION_NUM >= 170000
    return MyProcNumber;
#else
    return MyProc->pgprocno;
#endif
}
inline int process_number_of([[maybe_unused]] PGPROC *process)
{
#if PG_VERSION_NUM >= 170000
    return GetNumberFromPGProc(process);
#else
    return process->pgprocno;
#endif
}
inline Latch *latch_of(int process_number) { return &ProcGlobal->allProcs[process_number].procLatch; }

/// Pins the search_path to pg_catalog, pg_temp until restore_search_path or the end of the (sub)transaction. Both may ereport.
/// The result is what restore_search_path wants back.
inline int pin_search_path()
{
#if PG_VERSION_NUM >= 170000
    const int nest = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
    return nest;
#else
    OverrideSearchPath path{};
    path.addCatalog = true;
    path.addTemp = false;
    PushOverrideSearchPath(&path);
    return 0;
#endif
}

inline void restore_search_path([[maybe_unused]] int nest)
{
#if PG_VERSION_NUM >= 170000
    AtEOXact_GUC(true, nest);
#else
    PopOverrideSearchPath();
#endif
}

/// Below the executor; all of these may ereport.
inline Oid primary_key_of(Relation table)
{
#if PG_VERSION_NUM >= 180000
    return RelationGetPrimaryKeyIndex(table, false);
#else
    return RelationGetPrimaryKeyIndex(table);
#endif
}
inline IndexScanDesc begin_index_scan(Relation table, Relation index, Snapshot snapshot, int keys)
{
#if PG_VERSION_NUM >= 180000
    return index_beginscan(table, index, snapshot, nullptr, keys, 0);
#else
    return index_beginscan(table, index, snapshot, keys, 0);
#endif
}
/// What an update leaves to do for the indexes: nothing where it was HOT.
struct IndexWork {
    bool any, only_summaries;
};
inline TM_Result update_row(Relation table, ItemPointer tid, TupleTableSlot *row, Snapshot snapshot, bool wait, IndexWork &work)
{
    TM_FailureData failure;
    LockTupleMode mode;
#if PG_VERSION_NUM >= 160000
    TU_UpdateIndexes indexes = TU_None;
    const TM_Result result = table_tuple_update(table, tid, row, GetCurrentCommandId(true), snapshot, InvalidSnapshot, wait, &failure, &mode, &indexes);
    work = {indexes != TU_None, indexes == TU_Summarizing};
#else
    bool indexes = false;
    const TM_Result result = table_tuple_update(table, tid, row, GetCurrentCommandId(true), snapshot, InvalidSnapshot, wait, &failure, &mode, &indexes);
    work = {indexes, false};
#endif
    return result;
}
/// Of a row that was updated, too: as an insert, since what an update says beside asks for a range table, which only statements have.
inline void insert_index_entries(ResultRelInfo *table, TupleTableSlot *row, EState *state, [[maybe_unused]] bool only_summaries = false)
{
#if PG_VERSION_NUM >= 160000
    ExecInsertIndexTuples(table, row, state, false, false, nullptr, NIL, only_summaries);
#else
    ExecInsertIndexTuples(table, row, state, false, false, nullptr, NIL);
#endif
}

/// May ereport, like every catalogue look-up.
inline bool owns_extension(Oid extension, Oid role)
{
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(ExtensionRelationId, extension, role);
#else
    return pg_extension_ownercheck(extension, role);
#endif
}

}  // namespace orch::pg
