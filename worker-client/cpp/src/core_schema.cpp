#include "core_schema.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace orch::core_schema {
namespace {

template <class... Words>
bool one_of(std::string_view text, Words... words)
{
    return ((text == words) || ...);
}

bool digit(char c) { return c >= '0' && c <= '9'; }

size_t digits(std::string_view text) { return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), digit) - text.begin()); }

struct number {
    bool negative = false;
    std::string_view whole, fraction, exponent;
    bool has_point = false;
};

std::optional<number> decimal(std::string_view text)
{
    number parsed;
    const auto take = [&](size_t count) {
        const auto head = text.substr(0, count);
        text.remove_prefix(count);
        return head;
    };
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) parsed.negative = take(1) == "-";
    parsed.whole = take(digits(text));
    if (!text.empty() && text[0] == '.') {
        take(1);
        parsed.has_point = true;
        parsed.fraction = take(digits(text));
    }
    if (parsed.whole.empty() && parsed.fraction.empty()) return std::nullopt;
    if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
        const size_t sign = text.size() > 1 && (text[1] == '-' || text[1] == '+') ? 1 : 0;
        const size_t count = digits(text.substr(1 + sign));
        if (count == 0) return std::nullopt;
        take(1);
        parsed.exponent = take(sign + count);
    }
    return text.empty() ? std::optional(parsed) : std::nullopt;
}

/// 0o17 and 0x1F: the base, or 0.
int base_of(std::string_view text)
{
    if (text.size() < 3 || text[0] != '0') return 0;
    const auto rest = text.substr(2);
    if (text[1] == 'o' && rest.find_first_not_of("01234567") == rest.npos) return 8;
    if (text[1] == 'x' && rest.find_first_not_of("0123456789abcdefABCDEF") == rest.npos) return 16;
    return 0;
}

bool no_number(std::string_view text)
{
    if (one_of(text, ".nan", ".NaN", ".NAN")) return true;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    return one_of(text, ".inf", ".Inf", ".INF");
}

}  // namespace

std::optional<kind> kind_of(std::string_view plain)
{
    if (one_of(plain, "", "~", "null", "Null", "NULL")) return kind::null;
    if (one_of(plain, "true", "True", "TRUE", "false", "False", "FALSE")) return kind::boolean;
    if (base_of(plain) != 0) return kind::integer;
    if (const auto parsed = decimal(plain)) return parsed->has_point || !parsed->exponent.empty() ? kind::real : kind::integer;
    return no_number(plain) ? std::optional(kind::real) : std::nullopt;
}

std::optional<std::string> resolve(std::string_view plain)
{
    const auto found = kind_of(plain);
    if (!found) return std::nullopt;
    if (*found == kind::null) return "null";
    if (*found == kind::boolean) return plain[0] == 't' || plain[0] == 'T' ? "true" : "false";
    if (no_number(plain)) throw std::range_error("JSON has no \"" + std::string(plain) + "\"");
    if (const int base = base_of(plain)) {
        uint64_t value = 0;
        if (std::from_chars(plain.data() + 2, plain.data() + plain.size(), value, base).ec != std::errc{})
            throw std::range_error("the number \"" + std::string(plain.substr(0, 40)) + "\" has more than 64 bits");
        return std::to_string(value);
    }
    const auto parsed = *decimal(plain);
    // JSON knows neither a leading plus or zero nor a bare point.
    auto whole = parsed.whole.substr(std::min(parsed.whole.find_first_not_of('0'), parsed.whole.size()));
    std::string json = parsed.negative ? "-" : "";
    json += whole.empty() ? "0" : whole;
    if (parsed.has_point) json.append(".").append(parsed.fraction.empty() ? "0" : parsed.fraction);
    if (!parsed.exponent.empty()) json.append("e").append(parsed.exponent);
    return json;
}

}  // namespace orch::core_schema
