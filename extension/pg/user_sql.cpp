#include "pg/user_sql.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "utils/fmgrprotos.h"
#include "utils/typcache.h"
}

namespace orch::pg {

namespace {

// {1,2,"a b"}: every element quoted, which all element types read.
std::string array_literal(const core::Json &array)
{
    std::string literal = "{";
    for (const core::Json &element : array) {
        if (literal.size() > 1) literal += ',';
        if (element.is_null()) {
            literal += "NULL";
            continue;
        }
        literal += '"';
        for (char c : element.is_string() ? element.get<std::string>() : core::to_text(element)) {
            if (c == '"' || c == '\\') literal += '\\';
            literal += c;
        }
        literal += '"';
    }
    return literal + '}';
}

}  // namespace

std::vector<Oid> parameter_types(const std::string &sql)
{
    const char *text = sql.c_str();
    Oid *types = nullptr;
    int count = 0;
    call_pg([&] {
        ListCell *cell;
        foreach (cell, raw_parser(text, RAW_PARSE_DEFAULT)) parse_analyze_varparams(lfirst_node(RawStmt, cell), text, &types, &count, nullptr);
    });
    std::vector<Oid> result(types, types + count);
    for (Oid &type : result)
        if (type == InvalidOid || type == UNKNOWNOID) type = TEXTOID;
    return result;
}

std::optional<Datum> parameter_from(const core::Json &value, Oid type)
{
    if (value.is_null()) return std::nullopt;
    const bool is_json = type == JSONOID || type == JSONBOID;
    Oid element = InvalidOid;
    call_pg([&] { element = get_element_type(type); });
    std::string text = !is_json && value.is_string()                         ? value.get<std::string>()
                       : !is_json && value.is_array() && OidIsValid(element) ? array_literal(value)
                                                                             : core::to_text(value);
    Datum datum = 0;
    call_pg([&] {
        Oid input, io_parameter;
        getTypeInputInfo(type, &input, &io_parameter);
        datum = OidInputFunctionCall(input, text.data(), io_parameter, -1);
    });
    return datum;
}

SqlResult execute_user_sql(const std::string &sql, const core::Json &params, size_t max_bytes)
{
    std::vector<Oid> types;
    std::vector<Datum> values;
    std::string nulls;
    if (!params.is_null() && !params.empty()) {
        types = parameter_types(sql);
        if (types.size() > params.size())
            throw error{ERRCODE_UNDEFINED_PARAMETER,
                        "the statement has " + std::to_string(types.size()) + " parameters, params gives " + std::to_string(params.size()),
                        {},
                        {}};
        for (size_t i = 0; i < types.size(); i++) {
            const std::optional<Datum> value = parameter_from(params[i], types[i]);
            values.push_back(value.value_or(0));
            nulls.push_back(value ? ' ' : 'n');
        }
    }
    const char *text = sql.c_str();
    int code = 0;
    call_pg([&] { code = SPI_execute_with_args(text, static_cast<int>(types.size()), types.data(), values.data(), nulls.data(), false, 0); });
    if (code == SPI_ERROR_TRANSACTION)
        throw error{ERRCODE_INVALID_TRANSACTION_TERMINATION, "a SQL task cannot control transactions", "Its effect commits together with its result.",
                    "Leave out BEGIN, COMMIT and ROLLBACK."};
    if (code == SPI_ERROR_COPY)
        throw error{ERRCODE_FEATURE_NOT_SUPPORTED, "a SQL task cannot COPY from or to a client", {}, "Copy from or to a file or a program, or use INSERT."};
    if (code < 0) throw error{ERRCODE_INTERNAL_ERROR, std::string("SPI_execute failed: ") + SPI_result_code_string(code), {}, {}};

    SqlResult result{SPI_processed, "[", false};
    SPITupleTable *table = SPI_tuptable;
    if (table) {
        call_pg([&] { BlessTupleDesc(table->tupdesc); });
        for (uint64 i = 0; i < table->numvals && !result.truncated; i++) {
            const char *row = nullptr;
            int length = 0;
            call_pg([&] {
                Datum json = DirectFunctionCall1(row_to_json, heap_copy_tuple_as_datum(table->vals[i], table->tupdesc));
                row = VARDATA_ANY(DatumGetPointer(json));
                length = static_cast<int>(VARSIZE_ANY_EXHDR(DatumGetPointer(json)));
            });
            if (result.rows.size() > 1) result.rows += ',';
            result.rows.append(row, length);
            result.truncated = result.rows.size() > max_bytes;
        }
    }
    result.rows += ']';
    return result;
}

}  // namespace orch::pg
