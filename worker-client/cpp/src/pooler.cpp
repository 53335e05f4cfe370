#include "orch/pooler.hpp"

#include "orch/error.hpp"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>
#include <string_view>

namespace orch {
namespace {

/// A setting of `key = value` text from `from` on, with the space before it; where it ends, and its value without quotes.
struct setting {
    std::string_view key;
    std::string value;
    size_t end;
};

setting setting_at(std::string_view text, size_t from)
{
    const auto skip = [&](size_t at) { return std::min(text.find_first_not_of(" \t\r\n", at), text.size()); };
    const size_t start = skip(from), stop = std::min(text.find_first_of("= \t\r\n", start), text.size());
    setting found{text.substr(start, stop - start), "", skip(stop)};
    if (found.end == text.size() || text[found.end] != '=') return found;  // libpq will say what is wrong
    bool quoted = false;
    for (found.end = skip(found.end + 1); found.end < text.size(); ++found.end) {
        const char c = text[found.end];
        if (c == '\'') quoted = !quoted;
        else if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) break;
        else if (c == '\\' && found.end + 1 < text.size()) found.value += text[++found.end];
        else found.value += c;
    }
    return found;
}

}  // namespace

database_url::database_url(const std::string &given)
{
    std::optional<std::string> said;
    if (given.starts_with("postgresql://") || given.starts_with("postgres://")) {
        const size_t query = std::min(given.find('?'), given.size());
        text = given.substr(0, query);
        for (size_t from = query + 1, first = 1; from < given.size();) {
            const size_t end = std::min(given.find('&', from), given.size());
            const auto one = given.substr(from, end - from);
            from = end + 1;
            if (one.starts_with("pooled=")) said = one.substr(7);
            else text += (std::exchange(first, 0) != 0 ? "?" : "&") + one;
        }
    } else {
        for (size_t from = 0; from < given.size();) {
            auto one = setting_at(given, from);
            if (one.key == "pooled") said = std::move(one.value);
            else text += given.substr(from, one.end - from);
            from = one.end;
        }
    }
    if (!said) return;
    if (*said != "0" && *said != "1")
        throw error("22023", "pooled is 1 or 0, not \"" + *said + "\"", "", "pooled=1 says that a pooler gives connections away.");
    pooled = *said == "1";
}

bool database_url::names_several_hosts() const
{
    std::string hosts;
    for (const char *variable : {"PGHOST", "PGHOSTADDR"})
        if (const char *value = std::getenv(variable)) hosts += value;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfoParse(text.c_str(), nullptr), PQconninfoFree);
    for (const auto *option = options.get(); option && option->keyword; ++option)
        if (option->val && (std::string_view(option->keyword) == "host" || std::string_view(option->keyword) == "hostaddr")) hosts = option->val;
    return hosts.find(',') != std::string::npos;
}

}  // namespace orch
