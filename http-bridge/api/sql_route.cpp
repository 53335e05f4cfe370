#include "api/sql_route.hpp"

#include "core/encoding.hpp"
#include "server/text.hpp"

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

constexpr size_t default_page = 50, largest_page = 500;

Params params_of(const std::vector<Source> &sources, const Request &request, Params params = {})
{
    for (const Source &source : sources) params.push_back(source(request));
    return params;
}

[[noreturn]] void nothing_found(const std::string &what) { throw Problem(404, "not_found", "there is no such " + what); }

// Cursors are opaque: a version, so that an old one can be told, and the key.
constexpr std::string_view cursor_version = "1:";

std::string with_cursor(const Request &request, const std::string &cursor)
{
    std::string link = request.target.substr(0, request.target.find('?'));
    char separator = '?';
    const auto escaped = [](std::string_view text) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        std::string result;
        for (const char c : text) {
            if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.') result += c;
            else {
                const auto byte = static_cast<unsigned char>(c);
                result += '%';
                result += digits[byte >> 4];
                result += digits[byte & 15];
            }
        }
        return result;
    };
    for (const auto &[name, value] : request.query) {
        if (name == "cursor") continue;
        link += separator + escaped(name) + "=" + escaped(value);
        separator = '&';
    }
    return link + separator + "cursor=" + cursor;
}

}  // namespace

Source in_path(std::string_view name)
{
    return [name](const Request &request) -> Param { return request.in_path(name); };
}

Source in_query(std::string_view name)
{
    return [name](const Request &request) -> Param { return request.parameter(name); };
}

Source required_in_query(std::string_view name)
{
    return [name](const Request &request) -> Param {
        Param value = request.parameter(name);
        if (!value || value->empty()) throw Problem(400, "missing_parameter", "parameter \"" + std::string(name) + "\" is missing");
        return value;
    };
}

Source word_in_query(std::string_view name, std::vector<std::string_view> words)
{
    return [name, words = std::move(words)](const Request &request) -> Param {
        Param value = request.parameter(name);
        if (!value || std::find(words.begin(), words.end(), *value) != words.end()) return value;
        std::string known;
        for (const std::string_view word : words) known += (known.empty() ? "" : ", ") + std::string(word);
        throw Problem(400, "bad_parameter", "parameter \"" + std::string(name) + "\" cannot be " + json_string(*value)).hinting("It is one of " + known + ".");
    };
}

Source all_in_query(std::string_view name)
{
    return [name](const Request &request) -> Param {
        std::string list;
        for (const std::string &value : request.parameters(name)) list += (list.empty() ? "[" : ",") + json_string(value);
        return list.empty() ? Param() : Param(list + "]");
    };
}

Source in_body()
{
    return [](const Request &request) -> Param { return request.body; };
}

std::string cursor_of(std::string_view key) { return core::base64(core::as_bytes(std::string(cursor_version) + std::string(key)), core::Base64::url); }

Paging paging_of(const Request &request)
{
    Paging paging{default_page, std::nullopt};
    if (const auto limit = request.parameter("limit")) {
        if (limit->empty() || limit->size() > 3 || limit->find_first_not_of("0123456789") != limit->npos || *limit == "0" ||
            std::stoul(*limit) > largest_page || std::stoul(*limit) == 0)
            throw Problem(400, "bad_parameter", "limit must be a number from 1 to " + std::to_string(largest_page));
        paging.limit = std::stoul(*limit);
    }
    if (const auto cursor = request.parameter("cursor")) {
        const std::string key = core::from_base64(*cursor, core::Base64::url).value_or("");
        if (!key.starts_with(cursor_version) || !is_utf8(key) || key.find('\0') != key.npos)
            throw Problem(400, "bad_parameter", "the cursor is none that this API has given out").hinting("Take next_cursor of the page before as it is.");
        paging.after = key.substr(cursor_version.size());
    }
    return paging;
}

Handler one(std::string sql, std::vector<Source> sources, std::string what)
{
    return [sql = std::move(sql), sources = std::move(sources), what = std::move(what)](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        Params params = params_of(sources, request);
        const Rows rows = co_await bridge.pool.run(request.principal, sql, std::move(params));
        if (rows.empty() || !rows.get(0, 0)) nothing_found(what);
        co_return json_response(rows.text(0, 0));
    };
}

Handler call(std::string sql, std::vector<Source> sources, int status)
{
    return [sql = std::move(sql), sources = std::move(sources), status](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        Params params = params_of(sources, request);
        const Rows rows = co_await bridge.pool.run(request.principal, sql, std::move(params));
        if (rows.empty() || !rows.get(0, 0)) co_return empty_response();
        co_return json_response(rows.text(0, 0), status);
    };
}

Handler done(std::string sql, std::vector<Source> sources)
{
    return [sql = std::move(sql), sources = std::move(sources)](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        Params params = params_of(sources, request);
        (void)co_await bridge.pool.run(request.principal, sql, std::move(params));
        co_return empty_response();
    };
}

Handler items(const std::string &sql, std::vector<Source> sources)
{
    return call("select json_build_object('items', coalesce(json_agg(x.item), '[]'), 'next_cursor', null) from (" + sql + ") x(item)", std::move(sources));
}

Handler plain(std::string sql, std::vector<Source> sources)
{
    return [sql = std::move(sql), sources = std::move(sources)](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        Params params = params_of(sources, request);
        const Rows rows = co_await bridge.pool.run(request.principal, sql, std::move(params));
        co_return text_response(rows.text(0, 0));
    };
}

Handler with_fields(std::vector<Field> fields, Handler handler)
{
    return [fields = std::move(fields), handler = std::move(handler)](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        require_fields(request, fields);
        return handler(bridge, request);
    };
}

Handler page(std::string sql, std::vector<Source> sources, std::string guard, std::string what)
{
    return [sql = std::move(sql), sources = std::move(sources), guard = std::move(guard),
            what = std::move(what)](Bridge &bridge, Request &request) -> asio::awaitable<Response> {
        const Paging paging = paging_of(request);
        Params first;
        first.push_back(std::to_string(paging.limit + 1));
        first.push_back(paging.after);
        std::vector<Statement> statements;
        if (!guard.empty()) statements.push_back({guard, params_of(sources, request)});
        statements.push_back({sql, params_of(sources, request, std::move(first))});
        const std::vector<Rows> results = co_await bridge.pool.run_all(request.principal, std::move(statements));
        if (!guard.empty() && results.front().empty()) nothing_found(what);

        const Rows &rows = results.back();
        const int shown = std::min(rows.size(), static_cast<int>(paging.limit));
        std::string text = "{\"items\":[";
        for (int i = 0; i < shown; i++) {
            if (i > 0) text += ',';
            text += rows.get(i, 0).value();
        }
        text += "],\"next_cursor\":";
        Response response = json_response({});
        if (rows.size() > shown) {
            const std::string cursor = cursor_of(rows.get(shown - 1, 1).value());
            text += "\"" + cursor + "\"";
            response.with("Link", "<" + with_cursor(request, cursor) + ">; rel=\"next\"");
        } else text += "null";
        text += '}';
        response.body = std::move(text);
        co_return response;
    };
}

}  // namespace orch::bridge
