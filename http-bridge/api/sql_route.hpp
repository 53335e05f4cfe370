// Handlers made of a statement: where its parameters come from, and how its rows become the answer. Rows are JSON already, made by the database, and pass
// through as text.
#pragma once

#include "api/body.hpp"
#include "api/route.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

using Source = std::function<Param(const Request &)>;

[[nodiscard]] Source in_path(std::string_view name);
[[nodiscard]] Source in_query(std::string_view name);
/// The same, 400 where it is not given, or is empty.
[[nodiscard]] Source required_in_query(std::string_view name);
/// The same, 400 where it is none of these words.
[[nodiscard]] Source word_in_query(std::string_view name, std::vector<std::string_view> words);
/// One that may be repeated: a JSON array of all, null where it is not given.
[[nodiscard]] Source all_in_query(std::string_view name);
/// The whole body, as JSON text.
[[nodiscard]] Source in_body();

/// One row of one column, JSON. No row, or NULL: 404, with `what` there is none of.
[[nodiscard]] Handler one(std::string sql, std::vector<Source> sources, std::string what);

/// Calls a function; the answer is its one row and column, JSON, or 204 where `sql` returns none or NULL.
[[nodiscard]] Handler call(std::string sql, std::vector<Source> sources, int status = 200);

/// Calls a function that returns nothing: 204.
[[nodiscard]] Handler done(std::string sql, std::vector<Source> sources);

/// All rows of `select ROW from …`, in a list that has no further page.
[[nodiscard]] Handler items(const std::string &sql, std::vector<Source> sources);

/// One row of one column of text.
[[nodiscard]] Handler plain(std::string sql, std::vector<Source> sources);

/// The handler behind a look at the body's members.
[[nodiscard]] Handler with_fields(std::vector<Field> fields, Handler handler);

/// A page: $1 is how many rows to return at most, $2 the key that the page before ended with, null on the first one; the sources follow from $3. The statement returns the
/// item as JSON and its key as text. `guard`, where given, is a statement of the same sources from $1 that returns a row where what the list hangs on is there.
[[nodiscard]] Handler page(std::string sql, std::vector<Source> sources, std::string guard = {}, std::string what = {});

/// The `limit` of a request [50, at most 500] and the key in its `cursor`. Throws 400.
struct Paging {
    size_t limit;
    Param after;
};
[[nodiscard]] Paging paging_of(const Request &request);
[[nodiscard]] std::string cursor_of(std::string_view key);

}  // namespace orch::bridge
