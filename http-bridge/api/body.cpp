#include "api/body.hpp"

#include "api/multipart.hpp"
#include "core/json.hpp"
#include "server/text.hpp"

#include "orch/yaml.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace orch::bridge {

namespace asio = boost::asio;

namespace {

// Above this a body is parsed beside the loop.
constexpr size_t quick_to_parse = size_t{256} << 10;
constexpr size_t most_uploads = 100;

enum class Media { json, yaml, form, other };

Media media_of(std::string_view content_type)
{
    std::string type(trimmed(content_type.substr(0, content_type.find(';'))));
    std::transform(type.begin(), type.end(), type.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (type == "application/json" || type == "text/json" || (type.starts_with("application/") && type.ends_with("+json"))) return Media::json;
    if (type == "application/yaml" || type == "application/x-yaml" || type == "text/yaml" || type == "text/x-yaml" || type.ends_with("+yaml"))
        return Media::yaml;
    return type == "multipart/form-data" ? Media::form : Media::other;
}

std::string json_of_yaml(std::string_view text, size_t limit, const std::string &file)
{
    try {
        return yaml_to_json(text, limit);
    } catch (const yaml_error &wrong) {
        Problem problem(400, "yaml_invalid", "the YAML is refused" + (file.empty() ? "" : " in \"" + file + "\""));
        problem.detail = wrong.what();
        problem.hint = "The core schema of YAML 1.2 holds.";
        throw problem;
    }
}

// PostgreSQL's text can hold neither; said here, since it would take them for a fault of the connection's.
void require_text(std::string_view text)
{
    if (text.find('\0') != text.npos) throw Problem(400, "json_nul", "the body holds a byte 0");
    if (!is_utf8(text)) throw Problem(400, "json_encoding", "the body is not valid UTF-8");
}

void read_json(Request &request, size_t limit)
{
    auto parsed = core::parse(request.body, {.max_bytes = limit, .exact_integers = false});
    if (const auto *wrong = std::get_if<core::Problem>(&parsed)) {
        Problem problem(400, wrong->code, "the body is no JSON that can be read");
        problem.parts.push_back({"error", wrong->path, wrong->code, wrong->message, wrong->detail, wrong->hint});
        throw problem;
    }
    request.json = std::make_shared<const core::Json>(std::move(std::get<core::Json>(parsed)));
}

bool looks_like_json(std::string_view text)
{
    const std::string_view begins = trimmed(text.substr(0, 1000));
    return begins.starts_with('{') || begins.starts_with('[');
}

void read_form(const Route &route, Request &request)
{
    std::vector<FormPart> parts = read_multipart(request.header("Content-Type"), request.body);
    for (FormPart &part : parts) {
        const std::string name = part.filename.empty() ? part.name : part.filename;
        const Media media = media_of(part.content_type);
        const bool yaml =
            media == Media::yaml || (media != Media::json && (name.ends_with(".yaml") || name.ends_with(".yml") || !looks_like_json(part.content)));
        require_text(part.content);
        request.uploads.push_back({name, yaml ? json_of_yaml(part.content, route.limits.body, name) : std::move(part.content)});
    }
    if (request.uploads.empty()) throw Problem(400, "form_empty", "the form holds no file");
    if (request.uploads.size() > most_uploads) throw Problem(413, "form_too_large", "the form holds more than " + std::to_string(most_uploads) + " files");
}

void read_now(const Route &route, Request &request)
{
    if (route.body == BodyKind::raw || route.body == BodyKind::none) return;
    const Media media = media_of(request.header("Content-Type"));
    if (media == Media::form) return read_form(route, request);
    require_text(request.body);
    if (media == Media::yaml) request.body = json_of_yaml(request.body, route.limits.body, "");
    if (route.body == BodyKind::definition) {
        request.uploads.push_back({"", std::move(request.body)});
        return;
    }
    if (trimmed(request.body).empty()) request.body = "{}";
    read_json(request, route.limits.body);
}

bool fits(const core::Json &value, Member type)
{
    switch (type) {
    case Member::any: return true;
    case Member::text: return value.is_string();
    case Member::number: return value.is_number();
    case Member::integer: return value.is_number_integer();
    case Member::boolean: return value.is_boolean();
    case Member::object: return value.is_object();
    case Member::array: return value.is_array();
    case Member::texts: return value.is_array() && std::all_of(value.begin(), value.end(), [](const core::Json &one) { return one.is_string(); });
    }
    return false;
}

std::string_view wanted(Member type)
{
    constexpr std::string_view names[] = {"a value", "a string", "a number", "an integer", "true or false", "an object", "an array", "an array of strings"};
    return names[static_cast<size_t>(type)];
}

}  // namespace

void require_media_type(const Route &route, const Request &request)
{
    if (!request.header("Content-Encoding").empty() && !equal_without_case(request.header("Content-Encoding"), "identity"))
        throw Problem(415, "content_encoding", "a compressed body is not read").with("Accept-Encoding", "identity");
    if (route.body == BodyKind::raw) return;
    if (route.body == BodyKind::none) throw Problem(415, "body_not_wanted", "this takes no body");
    const Media media = media_of(request.header("Content-Type"));
    if (media == Media::json || media == Media::yaml || (media == Media::form && route.body == BodyKind::definition)) return;
    throw Problem(415, "media_type", "a body of this Content-Type is not read here")
        .hinting(route.body == BodyKind::definition ? "Send application/json, application/yaml or multipart/form-data."
                                                    : "Send application/json or application/yaml.");
}

asio::awaitable<void> read_body(Bridge &bridge, const Route &route, Request &request)
{
    if (request.body.size() <= quick_to_parse) {
        read_now(route, request);
        co_return;
    }
    const auto beside = [](const Route &route, Request &request) -> asio::awaitable<void> {
        read_now(route, request);
        co_return;
    };
    co_await asio::co_spawn(bridge.threads.get_executor(), beside(route, request), asio::use_awaitable);
}

void require_fields(const Request &request, const std::vector<Field> &fields)
{
    const core::Json &body = *request.json;
    Problem problem(422, "body_invalid", "the body has problems");
    const auto add = [&](std::string path, std::string code, std::string message) {
        problem.parts.push_back({"error", std::move(path), std::move(code), std::move(message), "", ""});
    };
    if (!body.is_object()) add("", "wrong_type", "the body must be an object");
    else {
        for (const auto &[key, value] : body.items()) {
            const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field &one) { return one.name == key; });
            if (field == fields.end()) add(core::pointer_to("", key), "unknown_key", "unknown key " + core::in_quotes(key));
            else if (!value.is_null() && !fits(value, field->type))
                add(core::pointer_to("", key), "wrong_type", core::in_quotes(key) + " must be " + std::string(wanted(field->type)));
            if (problem.parts.size() >= 100) break;
        }
        for (const Field &field : fields)
            if (field.required && (!body.contains(field.name) || body[std::string(field.name)].is_null()))
                add(core::pointer_to("", field.name), "missing_key", "key " + core::in_quotes(field.name) + " is missing");
    }
    if (problem.parts.empty()) return;
    if (problem.parts.size() == 1) problem.title = problem.parts.front().message;
    std::string known;
    for (const Field &field : fields) known += (known.empty() ? "" : ", ") + std::string(field.name);
    problem.hint = "The keys are " + known + ".";
    throw problem;
}

}  // namespace orch::bridge
