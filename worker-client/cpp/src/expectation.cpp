#include "expectation.hpp"

#include <algorithm>
#include <charconv>

namespace orch {
namespace {

int status_in(std::string_view text)
{
    int status = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), status);
    return failure == std::errc() && end == text.data() + text.size() && status >= 100 && status <= 599 ? status : 0;
}

[[noreturn]] void refuse(std::string_view text) { throw task_error("validation", "invalid_expect", "\"" + std::string(text) + "\" is no HTTP status"); }

bool meets(std::string_view condition, int status)
{
    if (condition.size() == 3 && condition.ends_with("xx") && condition[0] >= '1' && condition[0] <= '5') return status / 100 == condition[0] - '0';
    if (condition.size() == 7 && condition[3] == '-') {
        const int first = status_in(condition.substr(0, 3)), last = status_in(condition.substr(4));
        if (first == 0 || last == 0) refuse(condition);
        return status >= first && status <= last;
    }
    const auto digits = condition.find_first_of("0123456789");
    const auto wanted = digits == condition.npos ? 0 : status_in(condition.substr(digits));
    if (wanted == 0) refuse(condition);
    auto comparison = condition.substr(0, digits);
    comparison = comparison.substr(0, comparison.find_last_not_of(' ') + 1);
    if (comparison.empty() || comparison == "==") return status == wanted;
    if (comparison == "!=") return status != wanted;
    if (comparison == "<") return status < wanted;
    if (comparison == "<=") return status <= wanted;
    if (comparison == ">") return status > wanted;
    if (comparison == ">=") return status >= wanted;
    refuse(condition);
}

}  // namespace

bool expects_status(const json &expected, int status)
{
    if (expected.is_array()) return std::ranges::any_of(expected, [&](const json &one) { return expects_status(one, status); });
    return meets(expected.is_string() ? expected.get<std::string>() : expected.dump(), status);
}

bool contains(const json &value, const json &part)
{
    if (part.is_object()) {
        if (!value.is_object()) return false;
        for (const auto &[key, wanted] : part.items())
            if (!value.contains(key) || !contains(value[key], wanted)) return false;
        return true;
    }
    if (part.is_array())
        return value.is_array() && std::ranges::all_of(part, [&](const json &wanted) {
                   return std::ranges::any_of(value, [&](const json &element) { return contains(element, wanted); });
               });
    return value == part;
}

std::string_view class_of_http_status(int status) noexcept
{
    if (status == 408 || status == 429) return "resource";
    if (status >= 500 && status <= 599) return "transient";
    if (status >= 400 && status <= 499) return "validation";
    return "unknown";
}

}  // namespace orch
