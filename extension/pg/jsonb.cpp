#include "pg/jsonb.hpp"

extern "C" {
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace orch::pg {

namespace {

// The value under a key, in memory of the current context; null where absent.
JsonbValue *find(Datum jsonb, std::string_view key)
{
    JsonbValue *found = nullptr;
    call_pg([&] {
        Jsonb *value = DatumGetJsonbP(jsonb);
        if (JB_ROOT_IS_OBJECT(value)) found = getKeyJsonValueFromContainer(&value->root, key.data(), static_cast<int>(key.size()), nullptr);
    });
    return found;
}

}  // namespace

std::optional<Datum> member(Datum jsonb, std::string_view key)
{
    JsonbValue *found = find(jsonb, key);
    if (!found) return std::nullopt;
    Datum result = 0;
    call_pg([&] { result = JsonbPGetDatum(JsonbValueToJsonb(found)); });
    return result;
}

std::optional<std::string> text_member(Datum jsonb, std::string_view key)
{
    JsonbValue *found = find(jsonb, key);
    if (!found || found->type != jbvString) return std::nullopt;
    return std::string(found->val.string.val, found->val.string.len);
}

std::optional<bool> bool_member(Datum jsonb, std::string_view key)
{
    JsonbValue *found = find(jsonb, key);
    if (!found || found->type != jbvBool) return std::nullopt;
    return found->val.boolean;
}

std::optional<int32> int_member(Datum jsonb, std::string_view key)
{
    JsonbValue *found = find(jsonb, key);
    if (!found || found->type != jbvNumeric) return std::nullopt;
    bool out_of_range = false;
    int32 number = 0;
    call_pg([&] { number = numeric_int4_opt_error(found->val.numeric, &out_of_range); });
    if (out_of_range) return std::nullopt;
    return number;
}

std::optional<double> number_member(Datum jsonb, std::string_view key)
{
    JsonbValue *found = find(jsonb, key);
    if (!found || found->type != jbvNumeric) return std::nullopt;
    double number = 0;
    // Past the range of doubles is infinite, where a cast would raise.
    call_pg([&] { number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(found->val.numeric))); });
    return number;
}

bool is_object(Datum jsonb)
{
    Jsonb *value = nullptr;
    call_pg([&] { value = DatumGetJsonbP(jsonb); });
    return JB_ROOT_IS_OBJECT(value);
}

bool is_json_null(Datum jsonb)
{
    bool null = false;
    call_pg([&] {
        JsonbValue value;
        null = JsonbExtractScalar(&DatumGetJsonbP(jsonb)->root, &value) && value.type == jbvNull;
    });
    return null;
}

std::optional<std::vector<Datum>> elements(Datum jsonb)
{
    Jsonb *array = nullptr;
    call_pg([&] { array = DatumGetJsonbP(jsonb); });
    if (!JB_ROOT_IS_ARRAY(array) || JB_ROOT_IS_SCALAR(array)) return std::nullopt;
    const uint32 count = JB_ROOT_COUNT(array);
    std::vector<Datum> result(count);
    Datum *out = result.data();
    call_pg([&] {
        for (uint32 i = 0; i < count; i++) out[i] = JsonbPGetDatum(JsonbValueToJsonb(getIthJsonbValueFromContainer(&array->root, i)));
    });
    return result;
}

std::vector<std::string> keys_of(Datum jsonb)
{
    std::vector<std::string> keys;
    JsonbIterator *iterator = nullptr;
    JsonbValue value;
    JsonbIteratorToken token = WJB_DONE;
    call_pg([&] { iterator = JsonbIteratorInit(&DatumGetJsonbP(jsonb)->root); });
    for (;;) {
        // Nested values are skipped, so every key is one of the outermost object.
        call_pg([&] { token = JsonbIteratorNext(&iterator, &value, true); });
        if (token == WJB_DONE || token == WJB_BEGIN_ARRAY) return keys;
        if (token == WJB_KEY) keys.emplace_back(value.val.string.val, value.val.string.len);
    }
}

bool jsonb_equal(Datum left, Datum right)
{
    bool equal = false;
    call_pg([&] { equal = compareJsonbContainers(&DatumGetJsonbP(left)->root, &DatumGetJsonbP(right)->root) == 0; });
    return equal;
}

size_t jsonb_size(Datum jsonb)
{
    size_t size = 0;
    call_pg([&] { size = toast_raw_datum_size(jsonb); });
    return size;
}

}  // namespace orch::pg
