// SQL that a user wrote: its parameters typed as PostgreSQL infers them from the statement, its rows as JSON.
#pragma once

#include "core/json.hpp"
#include "pg/bridge.hpp"

namespace orch::pg {

/// The types of $1, $2, ... in a text of one or more statements; text where nothing says otherwise. Raises what the parser or the catalogue raises, so an
/// unknown table is an error here. Runs as the current user.
std::vector<Oid> parameter_types(const std::string &sql);

/// A JSON value as a parameter of that type: null is NULL; json and jsonb take any value; an array type takes a JSON array of scalars; every other type reads
/// the text of a string, or the JSON text of anything else.
std::optional<Datum> parameter_from(const core::Json &value, Oid type);

struct SqlResult {
    uint64 row_count;
    std::string rows;  // JSON array of objects; "[]" for statements that return none
    bool truncated;    // the rows had more than max_bytes: `rows` is not whole
};

/// Executes as the current user, inside SPI, with statements of transaction control refused. `params` is a JSON array or null.
SqlResult execute_user_sql(const std::string &sql, const core::Json &params, size_t max_bytes);

}  // namespace orch::pg
