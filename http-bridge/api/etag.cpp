#include "api/etag.hpp"

#include "server/problem.hpp"
#include "server/text.hpp"

namespace orch::bridge {

std::string etag_of(const std::string &version) { return "\"" + version + "\""; }

bool none_match(const Request &request, const std::string &etag)
{
    std::string_view given = request.header("If-None-Match");
    while (!given.empty()) {
        const auto comma = given.find(',');
        std::string_view one = trimmed(given.substr(0, comma));
        if (one.starts_with("W/")) one.remove_prefix(2);
        if (one == "*" || one == etag) return true;
        given.remove_prefix(comma == given.npos ? given.size() : comma + 1);
    }
    return false;
}

WriteCondition write_condition_of(const Request &request)
{
    WriteCondition condition;
    if (const std::string_view given = trimmed(request.header("If-None-Match")); !given.empty()) {
        if (given != "*") throw Problem(400, "bad_condition", "If-None-Match takes only * where a definition is written");
        condition.must_be_new = true;
    }
    if (std::string_view given = trimmed(request.header("If-Match")); !given.empty()) {
        if (given.size() > 2 && given.front() == '"' && given.back() == '"') given = given.substr(1, given.size() - 2);
        if (given.empty() || given.size() > 9 || given.find_first_not_of("0123456789") != given.npos)
            throw Problem(400, "bad_condition", "If-Match takes one ETag of a workflow").hinting("That is its version in double quotes: \"3\".");
        condition.version = std::string(given);
    }
    return condition;
}

std::string in_path_escaped(std::string_view text)
{
    constexpr std::string_view digits = "0123456789ABCDEF", unreserved = "-_.~";
    std::string result;
    for (const char c : text) {
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || unreserved.find(c) != unreserved.npos) result += c;
        else {
            const auto byte = static_cast<unsigned char>(c);
            result += '%';
            result += digits[byte >> 4];
            result += digits[byte & 15];
        }
    }
    return result;
}

}  // namespace orch::bridge
