// Kept SPI plans. A statement is a text with parameter types; `{}` in the text stands for the day of a leaf, and each day has its own plan.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// The parameters of one execution, by position. Plain data: Datums belong to whoever made them.
template <int N>
struct Parameters {
    Datum values[N] = {};
    char nulls[N];
    int count = 0;

    Parameters() { std::memset(nulls, ' ', N); }
    Parameters &add(Datum value)
    {
        values[count++] = value;
        return *this;
    }
    Parameters &add_null()
    {
        nulls[count++] = 'n';
        return *this;
    }
    Parameters &add(std::optional<Datum> value) { return value ? add(*value) : add_null(); }
};

/// The rows that a statement returned; they live in SPI's memory until the session closes.
class Rows {
public:
    Rows() = default;
    Rows(SPITupleTable *table, uint64 count) : table_(table), count_(count) {}

    uint64 count() const { return count_; }
    bool empty() const { return count_ == 0; }
    int columns() const { return table_->tupdesc->natts; }
    Oid type(int column) const { return TupleDescAttr(table_->tupdesc, column - 1)->atttypid; }

    // Reading a column of a heap tuple does not ereport; a toasted value is detoasted by its user.
    bool is_null(uint64 row, int column) const
    {
        bool null = false;
        heap_getattr(table_->vals[row], column, table_->tupdesc, &null);
        return null;
    }
    Datum get(uint64 row, int column) const
    {
        bool null = false;
        return heap_getattr(table_->vals[row], column, table_->tupdesc, &null);
    }
    std::optional<Datum> maybe(uint64 row, int column) const
    {
        bool null = false;
        Datum value = heap_getattr(table_->vals[row], column, table_->tupdesc, &null);
        return null ? std::nullopt : std::optional<Datum>(value);
    }
    int16 int2(uint64 row, int column) const { return DatumGetInt16(get(row, column)); }
    int32 int4(uint64 row, int column) const { return DatumGetInt32(get(row, column)); }
    int64 int8(uint64 row, int column) const { return DatumGetInt64(get(row, column)); }
    bool boolean(uint64 row, int column) const { return DatumGetBool(get(row, column)); }
    char letter(uint64 row, int column) const { return DatumGetChar(get(row, column)); }
    TimestampTz time(uint64 row, int column) const { return DatumGetTimestampTz(get(row, column)); }
    std::string text(uint64 row, int column) const;

private:
    SPITupleTable *table_ = nullptr;
    uint64 count_ = 0;
};

/// A statement text, its plans, and how to run it. Meant as a function-local or file-level constinit object: no destructor.
class Statement {
public:
    constexpr Statement(const char *text, std::initializer_list<Oid> types) : text_(text)
    {
        for (Oid type : types) types_[type_count_++] = type;
    }

    /// Runs it on a plain table. `read_only` uses the snapshot at hand; otherwise a new one is taken.
    template <int N>
    Rows run(const Parameters<N> &parameters, bool read_only = false)
    {
        return execute(no_leaf, parameters.values, parameters.nulls, parameters.count, read_only);
    }

    /// Runs it on the leaf of a day (days since 1970-01-01).
    template <int N>
    Rows run_on(int day, const Parameters<N> &parameters, bool read_only = false)
    {
        return execute(day, parameters.values, parameters.nulls, parameters.count, read_only);
    }

    /// Rows that the last run touched, for statements without RETURNING.
    uint64 processed() const { return processed_; }

    static constexpr int no_leaf = INT32_MIN;

private:
    Rows execute(int day, const Datum *values, const char *nulls, int count, bool read_only);
    SPIPlanPtr plan_for(int day);

    struct Kept {
        int day;
        uint64 generation;
        SPIPlanPtr plan;
    };

    const char *text_;
    Oid types_[24] = {};
    int type_count_ = 0;
    uint64 processed_ = 0;
    std::vector<Kept> *kept_ = nullptr;  // leaked on purpose: plans live as long as the backend
};

/// The name of a day in the names of leaves: 20261121.
std::string day_name(int day);

}  // namespace orch::pg
