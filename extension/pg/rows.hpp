// Rows of our own tables below the executor, where it would cost more than the rows themselves: many put in at a time, and some changed where their key finds them.
// Keys, other indexes, visibility and the WAL are PostgreSQL's as ever. Checks, defaults and triggers of inserts and updates are not looked at: these tables have none
// that our values could fail. Columns go by their numbers.
//
// Both are closed by finish(). On an error the (sub)transaction's abort gives back what they hold.
#pragma once

#include "core/uuid.hpp"
#include "pg/bridge.hpp"

#include <utility>

namespace orch::pg {

/// A table of the schema _orch, open for changes; it stays locked until the transaction ends. Plain data.
struct OpenTable {
    Relation relation = nullptr;
    EState *state = nullptr;
    ResultRelInfo *info = nullptr;  // with its indexes, once one of them gets an entry

    /// `verb` as the error of a read-only transaction names it.
    void open(const char *name, int columns, const char *verb);
    void open_indexes();
    void close();
};

/// A row to be filled: all null to begin with.
class NewRow {
public:
    explicit NewRow(TupleTableSlot *slot) : slot_(slot) {}
    NewRow &set(int column, Datum value)
    {
        slot_->tts_values[column - 1] = value;
        slot_->tts_isnull[column - 1] = false;
        return *this;
    }
    NewRow &set(int column, std::optional<Datum> value) { return value ? set(column, *value) : *this; }
    /// The 16 bytes must not move before the rows are written.
    NewRow &set(int column, const core::Uuid &uuid) { return set(column, PointerGetDatum(uuid.data())); }

private:
    TupleTableSlot *slot_;
};

class NewRows {
public:
    /// For a table of so many columns, and some `expected` rows.
    NewRows(const std::string &table, int columns, size_t expected);
    NewRows(const NewRows &) = delete;
    NewRows &operator=(const NewRows &) = delete;

    /// What the rows before it point to must live until finish().
    NewRow next();
    void finish();

private:
    void write();

    OpenTable table_;
    std::vector<TupleTableSlot *> slots_;
    size_t count_ = 0;
};

class KeptRows {
public:
    /// For a table whose primary key is a run's id, or that and a number.
    KeptRows(const std::string &table, int columns, bool numbered);
    KeptRows(const KeptRows &) = delete;
    KeptRows &operator=(const KeptRows &) = delete;

    /// The row of that key, as visible to a snapshot that was taken at the beginning. What get() gives lives until the next find().
    bool find(const core::Uuid &run, int32 number = 0);
    Datum get(int column) const { return found_->tts_values[column - 1]; }
    bool is_null(int column) const { return found_->tts_isnull[column - 1]; }
    std::optional<Datum> maybe(int column) const { return is_null(column) ? std::nullopt : std::optional<Datum>(get(column)); }

    /// What the row found will have; what is not set stays.
    void set(int column, Datum value)
    {
        changed_->tts_values[column - 1] = value;
        changed_->tts_isnull[column - 1] = false;
    }
    void set_null(int column) { changed_->tts_isnull[column - 1] = true; }

    /// Without waiting: false where somebody else has the row, or had it since the snapshot, or this one has changed it already.
    bool try_change() { return change(false); }
    /// Waits for whoever has the row. False where it is another one now: then find() looks again, with a new snapshot. Raises 40001 where the transaction keeps its own.
    bool change_or_wait() { return change(true); }
    void finish();

private:
    bool change(bool wait);
    void begin_scan();
    void end_scan();

    OpenTable table_;
    Relation key_ = nullptr;
    IndexScanDesc scan_ = nullptr;
    TupleTableSlot *found_ = nullptr, *changed_ = nullptr;
    int key_columns_;
};

}  // namespace orch::pg
