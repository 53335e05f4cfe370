// Definitions: stored, checked, shown.
#include "api/etag.hpp"
#include "api/sql_route.hpp"
#include "core/json.hpp"
#include "server/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

constexpr Limits definition_limits{.body = size_t{32} << 20};

Problem::Part part_of(const Rows &rows, int row)
{
    return {rows.text(row, 0), rows.text(row, 1), rows.text(row, 2), rows.text(row, 3), rows.text(row, 4), rows.text(row, 5)};
}

std::vector<Statement> validations(const Request &request)
{
    std::vector<Statement> statements;
    for (const Upload &upload : request.uploads)
        statements.push_back({"select severity, path, code, message, detail, hint from orch.validate($1::text)", {upload.text}});
    return statements;
}

/// A text that cannot be read is the request's fault, one that can be and is wrong the definition's.
int status_of_problems(const std::vector<Problem::Part> &parts)
{
    int status = 400;
    for (const Problem::Part &part : parts) {
        if (part.severity != "error") continue;
        if (part.code == "json_too_large") return 413;
        if (part.code != "json_syntax" && part.code != "json_encoding" && part.code != "json_nul") status = 422;
    }
    return status;
}

/// OR001 with every problem of the first definition that has any.
asio::awaitable<Problem> with_problems(Bridge &bridge, Request &request, const DatabaseError &refused)
{
    Problem problem = to_problem(refused);
    const std::vector<Rows> all = co_await bridge.pool.run_all(request.principal, validations(request));
    for (size_t i = 0; i < all.size(); i++) {
        std::vector<Problem::Part> parts;
        bool errors = false;
        for (int row = 0; row < all[i].size(); row++) {
            parts.push_back(part_of(all[i], row));
            errors = errors || parts.back().severity == "error";
        }
        if (!errors) continue;
        problem.status = status_of_problems(parts);
        problem.parts = std::move(parts);
        // What it would list as text stands in the parts.
        problem.detail = request.uploads[i].name.empty() ? "" : "It stands in \"" + request.uploads[i].name + "\".";
        problem.hint.clear();
        break;
    }
    co_return problem;
}

asio::awaitable<Response> tell_verdict(Bridge &bridge, Request &request)
{
    const std::vector<Rows> all = co_await bridge.pool.run_all(request.principal, validations(request));
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    bool valid = true;
    for (size_t i = 0; i < all.size(); i++) {
        for (int row = 0; row < all[i].size(); row++) {
            const Problem::Part part = part_of(all[i], row);
            const auto or_null = [](const std::string &text) { return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text); };
            nlohmann::ordered_json one = {{"severity", part.severity},      {"path", part.path},         {"code", part.code}, {"message", part.message},
                                          {"detail", or_null(part.detail)}, {"hint", or_null(part.hint)}};
            if (!request.uploads[i].name.empty()) one["file"] = request.uploads[i].name;
            problems.push_back(std::move(one));
            valid = valid && part.severity != "error";
        }
    }
    nlohmann::ordered_json verdict;
    verdict["valid"] = valid;
    verdict["problems"] = std::move(problems);
    co_return json_response(verdict.dump());
}

/// The id in a definition; nothing where it has none that could be a name, which the database says better.
std::optional<std::string> id_in(const std::string &text)
{
    const auto parsed = core::parse(text, {.max_bytes = SIZE_MAX, .exact_integers = false});
    const auto *value = std::get_if<core::Json>(&parsed);
    const core::Json *id = value == nullptr ? nullptr : core::member(*value, "id");
    return id != nullptr && id->is_string() ? std::optional(id->get<std::string>()) : std::nullopt;
}

asio::awaitable<void> require_name_of_path(Bridge &bridge, const Request &request)
{
    if (request.uploads.size() != 1) throw Problem(400, "form_invalid", "this takes one definition, not " + std::to_string(request.uploads.size()));
    const auto look = [](const std::string &text) -> asio::awaitable<std::optional<std::string>> { co_return id_in(text); };
    const std::optional<std::string> id = co_await asio::co_spawn(bridge.threads.get_executor(), look(request.uploads.front().text), asio::use_awaitable);
    if (!id || *id == request.in_path("workflow")) co_return;
    Problem problem(422, "id_mismatch", "the definition has another id than the path");
    problem.parts.push_back(
        {"error", "/id", "id_mismatch", "the id is " + core::in_quotes(*id) + ", the path says " + core::in_quotes(request.in_path("workflow")), "", ""});
    throw problem;
}

asio::awaitable<Response> store(Bridge &bridge, Request &request)
{
    const WriteCondition condition = write_condition_of(request);
    std::vector<Statement> statements;
    for (const Upload &upload : request.uploads)
        statements.push_back({"select workflow, version, created, row_to_json(r) from orch.register($1::text, if_exists => $2, if_version => $3::int) r",
                              {upload.text, condition.must_be_new ? "error" : "version", condition.version}});
    std::vector<Rows> stored;
    std::optional<DatabaseError> refused;
    try {
        stored = co_await bridge.pool.run_all(request.principal, std::move(statements));
    } catch (const DatabaseError &error) {
        if (error.code != "OR001") throw;
        refused = error;
    }
    if (refused) {
        Problem problem = co_await with_problems(bridge, request, *refused);
        throw problem;
    }

    bool created = false;
    std::string items;
    for (const Rows &rows : stored) {
        created = created || rows.boolean(0, 2);
        items += (items.empty() ? "" : ",") + rows.text(0, 3);
    }
    if (stored.size() > 1) co_return json_response("{\"items\":[" + items + "]}", created ? 201 : 200);
    Response response = json_response(items, created ? 201 : 200);
    response.with("ETag", etag_of(stored.front().text(0, 1)));
    if (created) response.with("Location", "/api/v1/workflows/" + in_path_escaped(stored.front().text(0, 0)));
    co_return response;
}

asio::awaitable<Response> store_by_name(Bridge &bridge, Request &request)
{
    co_await require_name_of_path(bridge, request);
    Response response = co_await store(bridge, request);
    co_return response;
}

asio::awaitable<Response> show(Bridge &bridge, Request &request)
{
    static const std::string statement =
        "select row_to_json(x), x.version from (select w.workflow, w.version, w.name, w.owner, w.paused, w.tags, w.created_at, w.description, w.tenant,"
        " (select v.spec from orch.versions v where v.workflow = w.workflow and v.version = w.version and v.tenant = w.tenant) as spec"
        " from orch.workflows w where w.workflow = $1) x";
    Params params{request.in_path("workflow")};
    const Rows rows = co_await bridge.pool.run(request.principal, statement, std::move(params));
    if (rows.empty()) throw Problem(404, "OR002", "there is no workflow \"" + request.in_path("workflow") + "\"");
    const std::string etag = etag_of(rows.text(0, 1));
    if (none_match(request, etag)) {
        Response unchanged(304);
        unchanged.with("ETag", etag);
        co_return unchanged;
    }
    Response response = json_response(rows.text(0, 0));
    response.with("ETag", etag);
    co_return response;
}

const std::string workflow_there = "select from orch.workflows w where w.workflow = $1";

}  // namespace

std::span<const Route> workflow_routes()
{
    using enum Minimum;
    static const std::vector<Route> routes = {
        {http::verb::get,
         "/workflows",
         viewer,
         "listWorkflows",
         page("select row_to_json(w), w.workflow from (select workflow, version, name, owner, paused, tags, created_at, description, tenant from "
              "orch.workflows) w"
              " where ($2::text is null or w.workflow > $2) order by w.workflow limit $1::int",
              {}),
         {"limit", "cursor"}},
        {http::verb::post, "/workflows", admin, "registerWorkflow", store, {}, BodyKind::definition, definition_limits},
        {http::verb::post, "/workflows/validate", viewer, "validateWorkflow", tell_verdict, {}, BodyKind::definition, definition_limits},
        {http::verb::get, "/workflows/{workflow}", viewer, "getWorkflow", show},
        {http::verb::put, "/workflows/{workflow}", admin, "putWorkflow", store_by_name, {}, BodyKind::definition, definition_limits},
        {http::verb::get,
         "/workflows/{workflow}/versions",
         viewer,
         "listVersions",
         page("select row_to_json(x), x.version from (select v.workflow, v.version, v.created_at, v.created_by, v.label, v.tenant from orch.versions v"
              " where v.workflow = $3 and ($2::int is null or v.version < $2::int) order by v.version desc limit $1::int) x",
              {in_path("workflow")}, workflow_there, "workflow"),
         {"limit", "cursor"}},
        {http::verb::get, "/workflows/{workflow}/versions/{version}", viewer, "getVersion",
         one("select row_to_json(x) from (select v.workflow, v.version, v.created_at, v.created_by, v.label, v.tenant, v.spec from orch.versions v"
             " where v.workflow = $1 and v.version = $2::int) x",
             {in_path("workflow"), in_path("version")}, "version")},
        {http::verb::get,
         "/workflows/{workflow}/plan",
         viewer,
         "planWorkflow",
         items("select p from orch.plan($1, $2::int) p", {in_path("workflow"), in_query("version")}),
         {"version"}},
        {http::verb::get,
         "/workflows/{workflow}/graph",
         viewer,
         "graphWorkflow",
         plain("select orch.graph($1::text, coalesce($2, 'text'))", {in_path("workflow"), word_in_query("format", {"text", "mermaid", "dot"})}),
         {"format"}},
    };
    return routes;
}

}  // namespace orch::bridge
