// Reading jsonb in place, without a copy of the whole.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

/// The member of an object as a jsonb of its own, nothing where it is absent. A JSON null is a value.
std::optional<Datum> member(Datum jsonb, std::string_view key);

/// The text of a member that is a JSON string, nothing otherwise.
std::optional<std::string> text_member(Datum jsonb, std::string_view key);
std::optional<bool> bool_member(Datum jsonb, std::string_view key);
std::optional<int32> int_member(Datum jsonb, std::string_view key);
std::optional<double> number_member(Datum jsonb, std::string_view key);

bool is_object(Datum jsonb);
bool is_json_null(Datum jsonb);

/// The elements of an array, each as a jsonb of its own; nothing where it is not an array.
std::optional<std::vector<Datum>> elements(Datum jsonb);

/// The keys of an object; none for anything else.
std::vector<std::string> keys_of(Datum jsonb);

/// Equality as operator = of jsonb sees it: 1.0 equals 1.
bool jsonb_equal(Datum left, Datum right);

/// Bytes that the value takes as it would be stored, uncompressed.
size_t jsonb_size(Datum jsonb);

}  // namespace orch::pg
