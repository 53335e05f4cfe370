// Templates in definitions: `{{ path }}` and `{{ a ?? b ?? 'x' }}`, their parsing and their rendering.
//
// A path is SQL/JSON, strict, with `$.` implied: `{{ tasks.a.output }}` asks for `strict $.tasks.a.output`. An operand may also be a literal: 'text' ('' is one quote), a number, true, false or null.
// `secrets.NAME` is left as it stands: only a worker knows secrets. So in a text that a worker fills in, braces that a value brought must not read as a
// template: a brace before another one, or before a secret, is written as {{ '{' }}, which the worker turns back.
#pragma once

#include "core/json.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace orch::core {

struct TemplateOperand {
    bool is_literal;
    std::string text;  // JSON text of a literal, else the whole path: "strict $.tasks.a.output"
};

struct TemplateExpression {
    std::string source;  // between the braces, trimmed
    std::vector<TemplateOperand> operands;
    bool is_secret;  // names secrets: stays as it is
};

/// A piece of a string: plain text, or an expression.
using TemplatePart = std::variant<std::string, TemplateExpression>;

struct TemplateFault {
    std::string message;
    std::string hint;
};

/// In a text, and anywhere inside of a value.
bool text_has_template(std::string_view text);
bool has_template(const Json &value);

std::variant<std::vector<TemplatePart>, TemplateFault> parse_template(std::string_view text);

/// The whole paths that a text's templates ask for; none where it is no well-formed template.
std::vector<std::string> template_paths(std::string_view text);

/// Nothing was found for an expression that has no fallback, or its syntax is broken.
class template_error : public std::runtime_error {
public:
    template_error(std::string expression, const std::string &message) : std::runtime_error(message), expression_(std::move(expression)) {}
    const std::string &expression() const { return expression_; }

private:
    std::string expression_;
};

/// Given a whole path ("strict $.tasks.a.output"), the JSON text of what is found there (an array of it where several are), or nothing.
using Resolver = std::function<std::optional<std::string>(const std::string &path)>;

/// What becomes of the text that is rendered.
enum class TextUse : uint8_t {
    value,             // a value of its own
    url,               // a URL: what is inserted is percent-encoded, except where the URL begins with it
    filled_by_worker,  // the worker replaces the secrets in it
};

/// JSON text of `value` with its templates replaced. A string that is one template takes the JSON type of what was found; inside a longer string a JSON string is
/// inserted as its text and anything else as its JSON text. Keys are left alone. Throws template_error.
std::string render(const Json &value, const Resolver &resolver, TextUse use = TextUse::value);

/// JSON text of a value that holds no templates, for a worker's filling in: no brace of it reads as one.
std::string values_for_worker(const Json &value);

}  // namespace orch::core
