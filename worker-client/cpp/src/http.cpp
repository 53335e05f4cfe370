#include "core/encoding.hpp"
#include "executors.hpp"
#include "expectation.hpp"
#include "orch/text.hpp"
#include "transfer.hpp"

#include <algorithm>

namespace orch {
namespace {

constexpr std::string_view default_llm = "https://api.openai.com/v1";

std::string encoded(std::string_view text)
{
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos)) out += c;
        else ((out += '%') += digits[byte >> 4]) += digits[byte & 15];
    }
    return out;
}

std::string text_of(const json &value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void add_query(std::string &url, const json &query)
{
    if (query.is_null()) return;
    if (!query.is_object()) throw task_error("validation", "invalid_query", "the query is no object");
    std::string added;
    const auto add = [&](const std::string &key, const json &value) {
        if (!value.is_null()) added += (added.empty() ? "" : "&") + encoded(key) + "=" + encoded(text_of(value));
    };
    for (const auto &[key, value] : query.items()) {
        if (!value.is_array()) add(key, value);
        else
            for (const auto &one : value) add(key, one);
    }
    if (added.empty()) return;
    const auto fragment = std::min(url.find('#'), url.size());
    const bool has_query = url.find('?') < fragment;
    url.insert(fragment, (has_query ? "&" : "?") + added);
}

bool is_header_name(std::string_view name)
{
    return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
        return c > 0x20 && c < 0x7F && std::string_view("()<>@,;:\\\"/[]?={}").find(static_cast<char>(c)) == std::string_view::npos;
    });
}

class header_set {
public:
    void add(const std::string &name, const std::string &value)
    {
        if (!is_header_name(name)) throw task_error("validation", "invalid_header", "a header cannot be named \"" + clean_text(front_of(name, 100)) + "\"");
        if (std::ranges::any_of(value, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; }))
            throw task_error("validation", "invalid_header", "the value of header \"" + name + "\" holds a control character");
        list.emplace_back(name, value);
    }
    void add_default(const std::string &name, const std::string &value)
    {
        const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b)); };
        if (!value.empty() && std::ranges::none_of(list, [&](const auto &header) { return std::ranges::equal(header.first, name, same); })) add(name, value);
    }
    std::vector<std::pair<std::string, std::string>> list;
};

/// The body of a chat completion: what the preset says in its own words, and all the rest as it is.
json completion_of(json llm)
{
    if (!llm.contains("messages")) {
        auto messages = json::array();
        if (llm.contains("system")) messages.push_back({{"role", "system"}, {"content", llm["system"]}});
        messages.push_back({{"role", "user"}, {"content", llm.contains("prompt") ? json(text_of(llm["prompt"])) : json("")}});
        llm["messages"] = std::move(messages);
    }
    for (const char *key : {"base_url", "prompt", "system", "stream", "comment"}) llm.erase(key);
    return llm;
}

http_request request_of(const leased_task &work, const json &spec, secret_filler &secrets)
{
    http_request request;
    header_set headers;
    const auto stated = secrets.fill_all(spec.value("headers", json::object()));
    for (const auto &[name, value] : stated.items()) headers.add(name, text_of(value));
    auto body = spec.contains("body") ? secrets.fill_all(spec["body"]) : json();
    request.url = spec.contains("url") ? text_of(spec["url"]) : std::string();
    if (spec.contains("llm")) {
        const auto &llm = spec["llm"];
        if (request.url.empty()) {
            request.url = llm.value("base_url", std::string(default_llm));
            while (request.url.ends_with('/')) request.url.pop_back();
            request.url += "/chat/completions";
        }
        body = completion_of(llm);
    }
    add_query(request.url, spec.value("query", json()));
    if (!body.is_null()) {
        request.body = body.is_string() ? body.get<std::string>() : body.dump();
        headers.add_default("Content-Type", body.is_string() ? "text/plain; charset=utf-8" : "application/json");
    }
    request.method = spec.value("method", request.body ? "POST" : "GET");
    headers.add_default("Idempotency-Key", work.idempotency_key);
    headers.add_default("traceparent", work.traceparent);
    request.headers = std::move(headers.list);
    return request;
}

bool is_text(std::string_view bytes)
{
    while (!bytes.empty()) {
        const size_t length = bytes[0] == '\0' ? 0 : character_length(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

/// JSON text of an answer's body as a task's output has it. A value's own text goes on, so that no digit of a number is lost on the way.
struct body_text {
    std::string json_text = "null";
    bool is_json = false, is_bytes = false;
};

body_text body_of(const http_answer &answer)
{
    const auto found = answer.headers.find("content-type");
    const auto type = found == answer.headers.end() ? std::string_view() : std::string_view(found->second);
    const auto essence = type.substr(0, type.find(';'));
    const bool says_json = essence.find("/json") != essence.npos || essence.find("+json") != essence.npos;
    if (answer.body.empty()) return {};
    if (says_json && is_text(answer.body) && json::accept(answer.body)) return {without_nul_escapes(answer.body), true, false};
    if (is_text(answer.body)) return {json(answer.body).dump(), false, false};
    return {"null", false, true};
}

std::string output_of(const http_answer &answer, bool is_llm)
{
    const auto body = body_of(answer);
    json headers = json::object();
    for (const auto &[name, value] : answer.headers) headers[clean_text(name)] = clean_text(value);
    std::string text = "\"output\":{\"status\":" + std::to_string(answer.status) + ",\"headers\":" + headers.dump() + ",\"body\":" + body.json_text;
    if (body.is_bytes) text += ",\"body_base64\":" + json(core::base64(core::as_bytes(answer.body))).dump();
    if (is_llm) {
        const auto value = body.is_json ? json::parse(body.json_text) : json();
        const auto content = json::json_pointer("/choices/0/message/content");
        const auto said = value.is_object() && value.contains(content) ? value[content] : json();
        const bool is_value = said.is_string() && json::accept(said.get_ref<const std::string &>());
        text += ",\"text\":" + said.dump() + ",\"json\":" + (is_value ? without_nul_escapes(said.get<std::string>()) : "null") +
                ",\"usage\":" + (value.is_object() ? value.value("usage", json()) : json()).dump();
    }
    return text + "}";
}

outcome refusal_of(const http_answer &answer, const std::string &host, const secret_filler &secrets)
{
    const auto detail = is_text(answer.body) ? secrets.redact(std::string(front_of(answer.body, 4096))) : std::string();
    auto error =
        error_json(class_of_http_status(answer.status), std::to_string(answer.status), host + " answered with status " + std::to_string(answer.status), detail);
    if (answer.retry_after_seconds > 0) error["retry_after_seconds"] = answer.retry_after_seconds;
    return outcome::failure(error);
}

}  // namespace

outcome run_http(leased_task &work, const secret_lookup &lookup, size_t max_result)
{
    secret_filler secrets(lookup);
    try {
        const auto spec = json::parse(work.spec).value("http", json::object());
        if (!spec.is_object()) throw task_error("validation", "invalid_request", "the request is no object");
        auto request = request_of(work, spec, secrets);
        const auto host = host_of(request.url);
        const auto expect = spec.value("expect", json("2xx"));
        const auto statuses = expect.is_object() ? expect.value("status", json("2xx")) : expect;
        (void)expects_status(statuses, 200);  // refused before anything is sent
        // Where a redirect is what is wanted, it is not followed.
        const bool wants_redirect = expects_status(statuses, 301) || expects_status(statuses, 302) || expects_status(statuses, 307);
        request.follow = (request.method == "GET" || request.method == "HEAD") && !wants_redirect;
        const auto answer = make_request(request, {.deadline = work.deadline, .stop = work.stop, .max_body = max_result});
        if (!expects_status(statuses, answer.status)) return refusal_of(answer, host, secrets);
        if (expect.is_object() && expect.contains("body")) {
            const auto body = body_of(answer);
            if (!contains(json::parse(body.json_text), expect["body"]))
                return outcome::failure(error_json("handler", "unexpected_body", "the body of " + host + "'s answer does not contain what is expected",
                                                   body.is_bytes ? "" : secrets.redact(std::string(front_of(answer.body, 4096)))));
        }
        return {output_of(answer, spec.contains("llm"))};
    } catch (const task_error &refused) {
        // Told to stop because its time is over, by whoever saw it first.
        const bool late = work.interrupted() == leased_task::reason::timed_out;
        if (late && refused.error_class == "cancelled") return outcome::failure(error_json("timeout", "timeout", "the request ran into its timeout"));
        return outcome::failure(error_json(refused.error_class, refused.code, secrets.redact(refused.what()), secrets.redact(refused.detail)));
    } catch (const std::exception &broken) {
        return outcome::failure(error_json("infrastructure", "worker", secrets.redact(broken.what())));
    }
}

}  // namespace orch
