#include "pg/column.hpp"

namespace orch::pg {

Datum Column::array() const
{
    static_assert(sizeof(bool) == sizeof(uint8_t));
    int16 length;
    bool by_value;
    char align;
    ArrayType *array = nullptr;
    call_pg([&] {
        get_typlenbyvalalign(type_, &length, &by_value, &align);
        int dims[1] = {static_cast<int>(values_.size())};
        int lower[1] = {1};
        if (values_.empty()) array = construct_empty_array(type_);
        else
            array = construct_md_array(const_cast<Datum *>(values_.data()), reinterpret_cast<bool *>(const_cast<uint8_t *>(nulls_.data())), 1, dims, lower,
                                       type_, length, by_value, align);
    });
    return PointerGetDatum(array);
}

Datum text_datum(std::string_view text)
{
    Datum datum = 0;
    call_pg([&] { datum = PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size()))); });
    return datum;
}

Datum jsonb_datum(std::string_view json_text)
{
    Datum datum = 0;
    call_pg([&] {
        char *copy = pnstrdup(json_text.data(), json_text.size());
        datum = DirectFunctionCall1(jsonb_in, CStringGetDatum(copy));
        pfree(copy);
    });
    return datum;
}

Datum uuid_datum(const core::Uuid &uuid)
{
    pg_uuid_t *copy = nullptr;
    call_pg([&] { copy = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t))); });
    std::memcpy(copy->data, uuid.data(), UUID_LEN);
    return UUIDPGetDatum(copy);
}

std::optional<Datum> copy_of(std::optional<Datum> varlena)
{
    if (!varlena) return varlena;
    Datum copy = 0;
    call_pg([&] { copy = PointerGetDatum(PG_DETOAST_DATUM_COPY(*varlena)); });
    return copy;
}

core::Uuid uuid_of(Datum datum)
{
    core::Uuid uuid;
    std::memcpy(uuid.data(), DatumGetUUIDP(datum)->data, uuid.size());
    return uuid;
}

std::string text_of(Datum datum)
{
    text *detoasted = nullptr;
    call_pg([&] { detoasted = DatumGetTextPP(datum); });
    return std::string(VARDATA_ANY(detoasted), VARSIZE_ANY_EXHDR(detoasted));
}

std::string json_text_of(Datum jsonb)
{
    char *text = nullptr;
    call_pg([&] {
        Jsonb *value = DatumGetJsonbP(jsonb);
        text = JsonbToCString(nullptr, &value->root, VARSIZE(value));
    });
    std::string copy = text;
    pfree(text);
    return copy;
}

std::vector<std::string> texts_of(Datum array, const char *what)
{
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call_pg([&] { deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count); });
    std::vector<std::string> texts;
    texts.reserve(count);
    for (int i = 0; i < count; i++) {
        if (nulls[i]) throw error{ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(what) + " may not hold null", {}, {}};
        texts.push_back(text_of(elements[i]));
    }
    return texts;
}

}  // namespace orch::pg
