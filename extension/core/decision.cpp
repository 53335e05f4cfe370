#include "core/decision.hpp"

#include "core/text.hpp"

#include <cstdint>
#include <optional>
#include <string>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

std::string text_of(const Json &value) { return value.is_string() ? std::string(trimmed(value.get_ref<const std::string &>())) : to_text(value); }

// A long double has 64 bits of mantissa or more on the machines that we build for: it holds every int64, uint64 and double as it is.
using Number = long double;

Number number_from(const Json &value)
{
    if (value.is_number_unsigned()) return static_cast<Number>(value.get<uint64_t>());
    return value.is_number_integer() ? static_cast<Number>(value.get<int64_t>()) : static_cast<Number>(value.get<double>());
}

std::optional<Number> number_of(const Json &value)
{
    if (value.is_number()) return number_from(value);
    if (!value.is_string()) return std::nullopt;
    const std::string_view text = trimmed(value.get_ref<const std::string &>());
    if (text.empty() || text.size() > 400 || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
    auto parsed = parse(text, Limits{.exact_integers = false});
    if (const Json *number = std::get_if<Json>(&parsed); number && number->is_number()) return number_from(*number);
    return std::nullopt;
}

template <class T>
bool compare(const T &left, std::string_view op, const T &right)
{
    if (op == "==") return left == right;
    if (op == "!=") return !(left == right);
    if (op == "<") return left < right;
    if (op == "<=") return !(right < left);
    if (op == ">") return right < left;
    return !(left < right);
}

}  // namespace

bool is_decision_operator(std::string_view op) { return op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">="; }

bool decide(const Json &left, std::string_view op, const Json &right)
{
    const auto left_number = number_of(left), right_number = number_of(right);
    if (left_number && right_number) return compare(*left_number, op, *right_number);
    return compare(text_of(left), op, text_of(right));
}

}  // namespace orch::core
