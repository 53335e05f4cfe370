// Columns of values on their way into a set-based statement: each becomes one array parameter.
#pragma once

#include "core/uuid.hpp"
#include "pg/bridge.hpp"

namespace orch::pg {

/// Values of one type, with NULLs. Pass-by-reference Datums must outlive array().
class Column {
public:
    explicit Column(Oid type) : type_(type) {}

    void reserve(size_t count)
    {
        values_.reserve(count);
        nulls_.reserve(count);
    }
    void add(Datum value)
    {
        values_.push_back(value);
        nulls_.push_back(false);
    }
    void add_null()
    {
        values_.push_back(0);
        nulls_.push_back(true);
    }
    void add(std::optional<Datum> value) { value ? add(*value) : add_null(); }
    /// The 16 bytes stay where they are: the element must not move before array().
    void add(const core::Uuid &uuid) { add(PointerGetDatum(uuid.data())); }

    size_t size() const { return values_.size(); }
    bool empty() const { return values_.empty(); }

    /// The array, in the current memory context.
    Datum array() const;

private:
    Oid type_;
    std::vector<Datum> values_;
    std::vector<uint8_t> nulls_;  // bool by size; std::vector<bool> has no addresses
};

/// Text, jsonb and uuid values as Datums in the current memory context. text may ereport for want of memory, jsonb for invalid text too.
Datum text_datum(std::string_view text);
Datum jsonb_datum(std::string_view json_text);
Datum uuid_datum(const core::Uuid &uuid);

/// A varlena that outlives the row it stands in, in the current memory context.
std::optional<Datum> copy_of(std::optional<Datum> varlena);

core::Uuid uuid_of(Datum datum);
std::string text_of(Datum datum);
/// The JSON text of a jsonb.
std::string json_text_of(Datum jsonb);

/// Elements of a text[], which may not hold NULL; `what` names it in the error.
std::vector<std::string> texts_of(Datum array, const char *what);

}  // namespace orch::pg
