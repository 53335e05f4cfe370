#include "server/request.hpp"

#include "core/encoding.hpp"
#include "server/problem.hpp"
#include "server/text.hpp"

namespace orch::bridge {

namespace {

[[noreturn]] void refuse_target(const std::string &why)
{
    throw Problem(400, "bad_target", "the request's target is not one that this server reads").because(why);
}

std::string decoded(std::string_view text, bool plus_is_space)
{
    std::string result;
    result.reserve(text.size());
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (c == '%') {
            const int high = i + 2 < text.size() ? core::hex_digit(text[i + 1]) : -1, low = i + 2 < text.size() ? core::hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) refuse_target("A percent sign is not followed by two hexadecimal digits.");
            result += static_cast<char>(high * 16 + low);
            i += 2;
        } else result += c == '+' && plus_is_space ? ' ' : c;
    }
    for (const char c : result)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) refuse_target("It holds a control character.");
    if (!is_utf8(result)) refuse_target("It is not valid UTF-8.");
    return result;
}

}  // namespace

std::optional<std::string> Request::parameter(std::string_view name) const
{
    for (const auto &[key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

std::vector<std::string> Request::parameters(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto &[key, value] : query)
        if (key == name) values.push_back(value);
    return values;
}

const std::string &Request::in_path(std::string_view name) const
{
    for (const auto &[key, value] : path_parameters)
        if (key == name) return value;
    throw std::logic_error("the route has no {" + std::string(name) + "}");
}

void read_target(Request &request)
{
    std::string_view target = request.target;
    if (target == "*" && request.method == http::verb::options) return;
    // With scheme and host, as to a proxy: what they say does not matter here.
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        const auto slash = target.find('/', scheme.size());
        target = slash == target.npos ? std::string_view("/") : target.substr(slash);
    }
    if (target.empty() || target.front() != '/') refuse_target("It does not begin with a slash.");
    target = target.substr(0, target.find('#'));
    const auto question = target.find('?');
    std::string_view path = target.substr(1, question == target.npos ? target.npos : question - 1);
    request.path = "/" + decoded(path, false);
    while (true) {
        const auto slash = path.find('/');
        std::string segment = decoded(path.substr(0, slash), false);
        if (segment == "." || segment == "..") refuse_target("A segment of its path is \"" + segment + "\".");
        request.segments.push_back(std::move(segment));
        if (slash == path.npos) break;
        path.remove_prefix(slash + 1);
    }
    if (question == target.npos) return;
    for (std::string_view rest = target.substr(question + 1); !rest.empty();) {
        const auto end = rest.find('&');
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        request.query.emplace_back(decoded(pair.substr(0, equals), true), equals == pair.npos ? std::string() : decoded(pair.substr(equals + 1), true));
    }
}

}  // namespace orch::bridge
