#include "pg/rows.hpp"

#include "pg/compat.hpp"

namespace orch::pg {

namespace {

// As COPY does: what one record of the WAL may hold is some pages, and more rows at a time save nothing.
constexpr size_t rows_at_a_time = 500;

// Whether the row on its page is locked by this transaction alone.
bool locked_here(TupleTableSlot *slot)
{
    const HeapTupleHeader row = reinterpret_cast<BufferHeapTupleTableSlot *>(slot)->base.tuple->t_data;
    return !(row->t_infomask & HEAP_XMAX_IS_MULTI) && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(row));
}

}  // namespace

void OpenTable::open(const char *name, int columns, const char *verb)
{
    const Oid schema = get_namespace_oid("_orch", true);
    const Oid table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (!OidIsValid(table)) ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"_orch.%s\" does not exist", name)));
    PreventCommandIfReadOnly(verb);
    relation = table_open(table, RowExclusiveLock);
    if (RelationGetNumberOfAttributes(relation) != columns)
        elog(ERROR, "relation \"_orch.%s\" has %d columns, not %d", name, RelationGetNumberOfAttributes(relation), columns);
}

void OpenTable::open_indexes()
{
    if (info) return;
    state = CreateExecutorState();
    info = makeNode(ResultRelInfo);
    InitResultRelInfo(info, relation, 1, nullptr, 0);
    ExecOpenIndices(info, false);
}

void OpenTable::close()
{
    if (info) {
        ExecCloseIndices(info);
        FreeExecutorState(state);
    }
    table_close(relation, NoLock);
    // What comes next in this transaction is to see it.
    CommandCounterIncrement();
}

NewRows::NewRows(const std::string &table, int columns, size_t expected)
{
    slots_.resize(std::min(std::max<size_t>(expected, 1), rows_at_a_time));
    const char *name = table.c_str();
    call_pg([&] {
        table_.open(name, columns, "INSERT");
        table_.open_indexes();
        for (TupleTableSlot *&slot : slots_) slot = MakeSingleTupleTableSlot(RelationGetDescr(table_.relation), &TTSOpsHeapTuple);
    });
}

NewRow NewRows::next()
{
    if (count_ == slots_.size()) write();
    TupleTableSlot *slot = slots_[count_++];
    std::memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
    return NewRow(slot);
}

void NewRows::write()
{
    const int count = static_cast<int>(std::exchange(count_, 0));
    TupleTableSlot **slots = slots_.data();
    call_pg([&] {
        for (int i = 0; i < count; i++) ExecStoreVirtualTuple(slots[i]);
        // What the table leaves behind in memory goes with the rows.
        const MemoryContext before = MemoryContextSwitchTo(GetPerTupleMemoryContext(table_.state));
        table_multi_insert(table_.relation, slots, count, GetCurrentCommandId(true), 0, nullptr);
        MemoryContextSwitchTo(before);
        for (int i = 0; i < count; i++) insert_index_entries(table_.info, slots[i], table_.state);
        for (int i = 0; i < count; i++) ExecClearTuple(slots[i]);
        ResetPerTupleExprContext(table_.state);
    });
}

void NewRows::finish()
{
    if (count_ > 0) write();
    call_pg([&] {
        for (TupleTableSlot *slot : slots_) ExecDropSingleTupleTableSlot(slot);
        table_.close();
    });
}

KeptRows::KeptRows(const std::string &table, int columns, bool numbered) : key_columns_(numbered ? 2 : 1)
{
    const char *name = table.c_str();
    call_pg([&] {
        table_.open(name, columns, "UPDATE");
        key_ = index_open(primary_key_of(table_.relation), RowExclusiveLock);
        found_ = table_slot_create(table_.relation, nullptr);
        changed_ = MakeSingleTupleTableSlot(RelationGetDescr(table_.relation), &TTSOpsHeapTuple);
        begin_scan();
    });
}

void KeptRows::begin_scan()
{
    PushActiveSnapshot(GetTransactionSnapshot());
    scan_ = begin_index_scan(table_.relation, key_, GetActiveSnapshot(), key_columns_);
}

void KeptRows::end_scan()
{
    ExecClearTuple(found_);
    index_endscan(scan_);
    PopActiveSnapshot();
}

bool KeptRows::find(const core::Uuid &run, int32 number)
{
    bool found = false;
    call_pg([&] {
        ScanKeyData keys[2];
        ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_UUID_EQ, PointerGetDatum(run.data()));
        if (key_columns_ > 1) ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
        index_rescan(scan_, keys, key_columns_, nullptr, 0);
        found = index_getnext_slot(scan_, ForwardScanDirection, found_);
        if (!found) return;
        slot_getallattrs(found_);
        ExecClearTuple(changed_);
        const int columns = found_->tts_tupleDescriptor->natts;
        std::memcpy(changed_->tts_values, found_->tts_values, columns * sizeof(Datum));
        std::memcpy(changed_->tts_isnull, found_->tts_isnull, columns * sizeof(bool));
    });
    return found;
}

bool KeptRows::change(bool wait)
{
    bool done = false;
    call_pg([&] {
        IndexWork work;
        ExecStoreVirtualTuple(changed_);
        TM_Result result = update_row(table_.relation, &found_->tts_tid, changed_, GetActiveSnapshot(), wait, work);
        // A lock of our own is nobody's to wait for, but counts as one.
        if (result == TM_BeingModified && !wait && locked_here(found_))
            result = update_row(table_.relation, &found_->tts_tid, changed_, GetActiveSnapshot(), true, work);
        switch (result) {
        case TM_Ok:
            if (work.any) {
                table_.open_indexes();
                insert_index_entries(table_.info, changed_, table_.state, work.only_summaries);
            }
            done = true;
            break;
        case TM_BeingModified: break;
        case TM_SelfModified:
            if (wait) elog(ERROR, "a row of \"%s\" was to be changed twice", RelationGetRelationName(table_.relation));
            break;
        case TM_Updated:
        case TM_Deleted:
            if (!wait) break;
            if (IsolationUsesXactSnapshot())
                ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), errmsg("could not serialize access due to concurrent update")));
            end_scan();
            begin_scan();
            break;
        default: elog(ERROR, "a row of \"%s\" could not be changed: %d", RelationGetRelationName(table_.relation), result);
        }
    });
    return done;
}

void KeptRows::finish()
{
    call_pg([&] {
        end_scan();
        ExecDropSingleTupleTableSlot(found_);
        ExecDropSingleTupleTableSlot(changed_);
        index_close(key_, NoLock);
        table_.close();
    });
}

}  // namespace orch::pg
