#include "core/template.hpp"

#include "core/json_path.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <utility>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr auto npos = std::string_view::npos;

/// Behind the quoted text that starts at `start`; in '...' a doubled quote stands for one, in "..." a backslash escapes.
std::size_t behind_quotes(std::string_view text, std::size_t start)
{
    if (text[start] == '"') return end_of_string(text, start);
    for (std::size_t i = start + 1; i < text.size(); i++) {
        if (text[i] != '\'') continue;
        if (i + 1 < text.size() && text[i + 1] == '\'') i++;
        else return i + 1;
    }
    return npos;
}

/// Where `mark` stands outside of quotes, from `start` on.
std::size_t find_unquoted(std::string_view text, std::string_view mark, std::size_t start)
{
    for (std::size_t i = start; i < text.size();) {
        if (text.substr(i, mark.size()) == mark) return i;
        if (text[i] != '"' && text[i] != '\'') {
            i++;
            continue;
        }
        i = behind_quotes(text, i);
        if (i == npos) return npos;
    }
    return npos;
}

bool names_secret(std::string_view operand) { return operand.substr(0, 7) == "secrets" && (operand.size() == 7 || operand[7] == '.' || operand[7] == ' '); }

bool is_secret_name(std::string_view name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

std::variant<TemplateOperand, TemplateFault> parse_operand(std::string_view text)
{
    if (text.empty()) return TemplateFault{"has an empty part", "Write a path such as input.day between the braces."};
    if (text[0] == '\'') {
        if (behind_quotes(text, 0) != text.size())
            return TemplateFault{"has text after a quoted literal", "Join values outside of the braces; a quote inside a literal is doubled."};
        std::string literal;
        for (std::size_t i = 1; i + 1 < text.size(); i++) {
            literal += text[i];
            if (text[i] == '\'') i++;
        }
        return TemplateOperand{true, to_text(std::string_view(literal))};
    }
    const bool is_numeric = (text[0] >= '0' && text[0] <= '9') || text[0] == '-';
    if (is_numeric || text == "true" || text == "false" || text == "null") {
        if (std::holds_alternative<Problem>(parse(text)))
            return TemplateFault{"has the literal " + in_quotes(text) + ", which is no JSON number", "Put text in single quotes."};
        return TemplateOperand{true, std::string(text)};
    }
    if (text[0] == '$') return TemplateFault{"starts with \"$\", which is implied", "Leave the \"$.\" out: {{ input.day }}."};
    return TemplateOperand{false, "strict $." + std::string(text)};
}

std::variant<TemplateExpression, TemplateFault> parse_expression(std::string_view source)
{
    TemplateExpression expression{std::string(source), {}, false};
    for (std::size_t start = 0;;) {
        const std::size_t end = find_unquoted(source, "??", start);
        const std::string_view text = trimmed(source.substr(start, end == npos ? npos : end - start));
        auto operand = parse_operand(text);
        if (auto *fault = std::get_if<TemplateFault>(&operand)) return std::move(*fault);
        expression.is_secret = expression.is_secret || names_secret(text);
        expression.operands.push_back(std::get<TemplateOperand>(std::move(operand)));
        if (end == npos) break;
        start = end + 2;
    }
    if (expression.is_secret && expression.operands.size() > 1)
        return TemplateFault{"gives a secret a fallback", "Only a worker knows whether a secret exists: write {{ secrets.NAME }} alone."};
    if (expression.is_secret && !is_secret_name(source.substr(std::min<std::size_t>(8, source.size()))))
        return TemplateFault{"names a secret by more than a name", "Write {{ secrets.NAME }}: letters, digits, _ and -."};
    return expression;
}

std::string resolve(const TemplateExpression &expression, const Resolver &resolver)
{
    for (const TemplateOperand &operand : expression.operands) {
        if (operand.is_literal) return operand.text;
        if (auto found = resolver(operand.text)) return *std::move(found);
    }
    throw template_error(expression.source, "nothing was found for " + in_quotes(expression.source));
}

/// JSON text without the quotes of a string: what may stand inside a JSON string's text.
std::string inside_string(const std::string &json_text)
{
    const std::string_view text = trimmed(json_text);
    if (text.size() >= 2 && text.front() == '"') return std::string(text.substr(1, text.size() - 2));
    const std::string escaped = to_text(text);
    return escaped.substr(1, escaped.size() - 2);
}

/// The text of a JSON string, any other value as its JSON text.
std::string plain_text(const std::string &json_text)
{
    if (auto parsed = parse(json_text, {.max_bytes = SIZE_MAX, .exact_integers = false}); const auto *value = std::get_if<Json>(&parsed))
        if (value->is_string()) return value->get<std::string>();
    return std::string(trimmed(json_text));
}

/// All but the unreserved characters of RFC 3986, so that a value stays within its part of the URL.
std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~') out += c;
        else (((out += '%') += digits[byte >> 4]) += digits[byte & 15]);
    }
    return out;
}

/// For a worker's filling in; JSON text, where two braces in a row stand nowhere but in strings.
std::string with_braces_kept(std::string_view json_text, bool before_secret)
{
    std::string out;
    for (std::size_t i = 0; i < json_text.size(); i++) {
        const bool last = i + 1 == json_text.size();
        if (json_text[i] == '{' && (last ? before_secret : json_text[i + 1] == '{')) out += "{{ '{' }}";
        else out += json_text[i];
    }
    return out;
}

/// The parts of one string, one after the other, as JSON text.
class StringRendering {
public:
    StringRendering(const Resolver &resolver, TextUse use) : resolver_(resolver), use_(use) {}

    std::string render(const std::vector<TemplatePart> &parts)
    {
        for (std::size_t i = 0; i < parts.size(); i++) {
            const auto *expression = std::get_if<TemplateExpression>(&parts[i]);
            if (!expression) text_ += inside_string(to_text(std::string_view(std::get<std::string>(parts[i]))));
            else if (expression->is_secret) add_secret(*expression);
            else if (use_ == TextUse::url && i > 0) text_ += percent_encoded(plain_text(resolve(*expression, resolver_)));
            else text_ += inside_string(resolve(*expression, resolver_));
        }
        flush(false);
        return '"' + out_ + '"';
    }

private:
    void add_secret(const TemplateExpression &secret)
    {
        flush(true);
        out_ += inside_string(to_text(std::string_view("{{ " + secret.source + " }}")));
    }

    void flush(bool before_secret)
    {
        out_ += use_ == TextUse::filled_by_worker ? with_braces_kept(text_, before_secret) : text_;
        text_.clear();
    }

    const Resolver &resolver_;
    TextUse use_;
    std::string out_, text_;  // text_: since the last secret
};

void render_string(std::string &out, const std::string &text, const Resolver &resolver, TextUse use)
{
    if (!text_has_template(text)) {
        out += to_text(std::string_view(text));
        return;
    }
    auto parsed = parse_template(text);
    if (const auto *fault = std::get_if<TemplateFault>(&parsed)) throw template_error(text, "template " + in_quotes(text) + " " + fault->message);
    const auto &parts = std::get<std::vector<TemplatePart>>(parsed);
    if (parts.size() == 1) {
        if (const auto *only = std::get_if<TemplateExpression>(&parts[0]); only && !only->is_secret) {
            const std::string found = resolve(*only, resolver);
            out += use == TextUse::filled_by_worker ? with_braces_kept(found, false) : found;
            return;
        }
    }
    out += StringRendering(resolver, use).render(parts);
}

// Recursion is fine here: a definition is at most Limits::max_depth levels deep.
void render_value(std::string &out, const Json &value, const Resolver &resolver, TextUse use)
{
    const char *separator = "";
    if (value.is_object()) {
        out += '{';
        for (const auto &[key, element] : value.get_ref<const Json::object_t &>()) {
            out += std::exchange(separator, ",");
            out += to_text(std::string_view(key)) + ':';
            render_value(out, element, resolver, use);
        }
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (const Json &element : value) {
            out += std::exchange(separator, ",");
            render_value(out, element, resolver, use);
        }
        out += ']';
    } else if (value.is_string()) {
        render_string(out, value.get_ref<const std::string &>(), resolver, use);
    } else {
        out += to_text(value);
    }
}

}  // namespace

bool text_has_template(std::string_view text) { return text.find("{{") != npos; }

bool has_template(const Json &value)
{
    if (value.is_string()) return text_has_template(value.get_ref<const std::string &>());
    if (value.is_object())
        return std::any_of(value.get_ref<const Json::object_t &>().begin(), value.get_ref<const Json::object_t &>().end(),
                           [](const auto &entry) { return has_template(entry.second); });
    return value.is_array() && std::any_of(value.begin(), value.end(), [](const Json &element) { return has_template(element); });
}

std::variant<std::vector<TemplatePart>, TemplateFault> parse_template(std::string_view text)
{
    std::vector<TemplatePart> parts;
    while (!text.empty()) {
        const std::size_t start = text.find("{{");
        if (start != 0) parts.emplace_back(std::string(text.substr(0, start)));
        if (start == npos) break;
        const std::size_t end = find_unquoted(text, "}}", start + 2);
        if (end == npos) return TemplateFault{"has \"{{\" without \"}}\"", "Close the braces; to write the two braces themselves use {{ '{{' }}."};
        auto expression = parse_expression(trimmed(text.substr(start + 2, end - start - 2)));
        if (auto *fault = std::get_if<TemplateFault>(&expression)) return std::move(*fault);
        parts.emplace_back(std::get<TemplateExpression>(std::move(expression)));
        text.remove_prefix(end + 2);
    }
    return parts;
}

std::vector<std::string> template_paths(std::string_view text)
{
    std::vector<std::string> paths;
    if (!text_has_template(text)) return paths;
    auto parsed = parse_template(text);
    auto *parts = std::get_if<std::vector<TemplatePart>>(&parsed);
    if (parts == nullptr) return paths;
    for (TemplatePart &part : *parts) {
        auto *expression = std::get_if<TemplateExpression>(&part);
        if (expression == nullptr || expression->is_secret) continue;
        for (TemplateOperand &operand : expression->operands)
            if (!operand.is_literal) paths.push_back(std::move(operand.text));
    }
    return paths;
}

std::string render(const Json &value, const Resolver &resolver, TextUse use)
{
    std::string out;
    render_value(out, value, resolver, use);
    return out;
}

std::string values_for_worker(const Json &value) { return with_braces_kept(to_text(value), false); }

}  // namespace orch::core
