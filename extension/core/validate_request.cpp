// An http request: where it goes, which answers are good ones, and the preset for language models.

#include "core/validation.hpp"

#include "core/template.hpp"

#include <algorithm>
#include <charconv>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

bool is_filled_in_later(const Json &value) { return value.is_string() && text_has_template(value.get_ref<const std::string &>()); }

bool is_status(std::string_view text)
{
    int status = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), status);
    return failure == std::errc() && end == text.data() + text.size() && status >= 100 && status <= 599;
}

/// 200, 2xx, 200-299, < 400: the same words as worker-client/cpp/src/expectation.cpp.
bool is_status_condition(std::string_view text)
{
    if (text.size() == 3 && text[0] >= '1' && text[0] <= '5' && text.substr(1) == "xx") return true;
    if (text.size() == 7 && text[3] == '-') return is_status(text.substr(0, 3)) && is_status(text.substr(4));
    for (const std::string_view comparison : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (text.substr(0, comparison.size()) != comparison) continue;
        text.remove_prefix(comparison.size());
        while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
        break;
    }
    return is_status(text);
}

void check_status(Findings &findings, const Place &place, const Json &status)
{
    if (is_filled_in_later(status)) return;
    if (status.is_array()) {
        if (status.empty()) findings.error(ProblemCode::out_of_range, place, "the list of statuses is empty");
        for (std::size_t i = 0; i < status.size(); i++)
            if (expect(findings, place / i, status[i], !status[i].is_array(), "a status")) check_status(findings, place / i, status[i]);
        return;
    }
    if (!expect(findings, place, status, status.is_number_integer() || status.is_string(), "a status")) return;
    if (!is_status_condition(status.is_string() ? status.get<std::string>() : to_text(status)))
        findings.error(ProblemCode::unknown_value, place,
                       in_quotes(status.is_string() ? status.get<std::string>() : to_text(status), 60) + " is no HTTP status", {},
                       "Write 200, \"2xx\", \"200-299\", \"< 400\", or a list of these.");
}

void check_expectation(Findings &findings, const Place &place, const Json &expected)
{
    if (!expected.is_object()) return check_status(findings, place, expected);
    for (const auto &[key, value] : expected.get_ref<const Json::object_t &>()) {
        if (key == "status") check_status(findings, place / key, value);
        else if (key != "body") findings.error(ProblemCode::unknown_key, place / key, "expect has no " + in_quotes(key), {}, "It has status and body.");
    }
}

void check_query(Findings &findings, const Place &place, const Json &query)
{
    if (is_filled_in_later(query) || !expect(findings, place, query, query.is_object(), "an object")) return;
    for (const auto &[key, value] : query.get_ref<const Json::object_t &>()) {
        const bool flat =
            !value.is_structured() || (value.is_array() && std::none_of(value.begin(), value.end(), [](const Json &e) { return e.is_structured(); }));
        expect(findings, place / key, value, flat, "text, a number, true or false, or a list of these");
    }
}

void check_llm(Findings &findings, const Place &place, const Json &request, const Json &llm)
{
    const Place inside = place / "llm";
    if (!member(llm, "model")) findings.error(ProblemCode::missing_key, inside, "llm has no \"model\"");
    const Json *messages = member(llm, "messages");
    const Json *prompt = member(llm, "prompt");
    if (!messages && !prompt) findings.error(ProblemCode::missing_key, inside, "llm has neither \"prompt\" nor \"messages\"");
    if (messages && (prompt || member(llm, "system")))
        findings.error(ProblemCode::exclusive_settings, inside, "llm has \"messages\" and also \"prompt\" or \"system\"", {}, "The messages are the whole.");
    if (messages) expect(findings, inside / "messages", *messages, messages->is_array() || is_filled_in_later(*messages), "a list");
    for (const std::string_view key : {"model", "prompt", "system", "base_url"})
        if (const Json *text = member(llm, key)) expect(findings, inside / key, *text, text->is_string(), "text");
    if (member(llm, "stream")) findings.error(ProblemCode::unknown_key, inside / "stream", "llm has no \"stream\"", "A task's output comes as a whole.");
    for (const std::string_view key : {"method", "query", "body"})
        if (member(request, key))
            findings.error(ProblemCode::exclusive_settings, place / key, "http has \"llm\" and also " + in_quotes(key), "The preset makes the request.");
}

}  // namespace

void check_request(Findings &findings, const Place &place, const Json &request)
{
    if (!expect(findings, place, request, request.is_object(), "an object")) return;
    check_fields(findings, place, request, http_fields());
    if (const Json *expected = member(request, "expect")) check_expectation(findings, place / "expect", *expected);
    if (const Json *query = member(request, "query")) check_query(findings, place / "query", *query);
    const Json *llm = member(request, "llm");
    if (llm && llm->is_object()) check_llm(findings, place, request, *llm);
    const Json *url = member(request, "url");
    if (!url && !llm) findings.error(ProblemCode::missing_key, place, "http has no \"url\"");
    if (!url || !url->is_string()) return;
    const std::string &text = url->get_ref<const std::string &>();
    if (text.rfind("http://", 0) != 0 && text.rfind("https://", 0) != 0 && text.rfind("{{", 0) != 0)
        findings.error(ProblemCode::unknown_value, place / "url", "url " + in_quotes(text) + " does not begin with http:// or https://");
}

}  // namespace orch::core
