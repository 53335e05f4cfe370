#include "core/redis_url.hpp"

#include "core/encoding.hpp"

#include <charconv>

#include "core/last_include.hpp"

namespace orch::core {

namespace {

std::optional<std::string> unescaped(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(text[i + 2]);
        if (low < 0 || high + low == 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::optional<int> small_number(std::string_view text, int max)
{
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > max) return std::nullopt;
    return number;
}

std::optional<RedisUrl> refused(std::string &wrong, const char *why)
{
    wrong = why;
    return std::nullopt;
}

bool take_prefix(std::string_view &text, std::string_view prefix)
{
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

std::string RedisUrl::place() const
{
    const std::string number = database == 0 ? std::string() : "/" + std::to_string(database);
    if (host.empty()) return path + (database == 0 ? "" : "?db=" + std::to_string(database));
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port) + number;
}

std::optional<RedisUrl> parse_redis_url(std::string_view text, std::string &wrong)
{
    if (text.starts_with("rediss://"))
        return refused(wrong, "rediss:// is not to be had: the Redis library that this was built with has no TLS; a tunnel on this host can add it");
    const bool is_socket = text.starts_with("unix://");
    if (!is_socket && !text.starts_with("redis://")) return refused(wrong, "the URL of a Redis begins with redis:// or unix://");
    text.remove_prefix(is_socket ? 7 : 8);
    for (const char c : text)
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return refused(wrong, "the URL of a Redis holds no white space: write it as %20");

    RedisUrl url;
    // A password may hold an unescaped /, and an @ as well: what counts is the last one before the host or the socket's path.
    if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view who = text.substr(0, at);
        const size_t colon = who.find(':');
        if (colon == std::string_view::npos) return refused(wrong, "before the @ of the URL stands user:password, or :password");
        const auto user = unescaped(who.substr(0, colon)), password = unescaped(who.substr(colon + 1));
        if (!user || !password) return refused(wrong, "a % in user or password of the URL is followed by two hexadecimal digits");
        url.user = *user;
        url.password = *password;
        text.remove_prefix(at + 1);
    }

    std::string_view number;
    if (is_socket) {
        const size_t question = text.find('?');
        url.path = text.substr(0, question);
        if (!url.path.starts_with('/')) return refused(wrong, "a unix:// URL names the socket by its whole path");
        if (url.path.size() > 107) return refused(wrong, "the path of the socket has more than 107 bytes");
        if (question != std::string_view::npos) {
            number = text.substr(question + 1);
            if (!take_prefix(number, "db=")) return refused(wrong, "behind the path of the socket only ?db=number may stand");
        }
    } else {
        const size_t slash = text.find('/');
        if (slash != std::string_view::npos) number = text.substr(slash + 1);
        std::string_view place = text.substr(0, slash), port;
        if (take_prefix(place, "[")) {
            const size_t bracket = place.find(']');
            if (bracket == std::string_view::npos) return refused(wrong, "the address of the URL has no ]");
            url.host = place.substr(0, bracket);
            port = place.substr(bracket + 1);
            if (!port.empty() && !take_prefix(port, ":")) return refused(wrong, "behind the ] of the address only a port may stand");
        } else {
            const size_t colon = place.find(':');
            url.host = place.substr(0, colon);
            if (colon != std::string_view::npos) port = place.substr(colon + 1);
        }
        if (url.host.empty()) url.host = "localhost";
        if (!port.empty()) {
            const auto parsed = small_number(port, 65535);
            if (!parsed || *parsed == 0) return refused(wrong, "the port of the URL is a number from 1 to 65535");
            url.port = *parsed;
        }
    }
    if (!number.empty()) {
        const auto parsed = small_number(number, 65535);
        if (!parsed) return refused(wrong, "the database of a Redis is a small number");
        url.database = *parsed;
    }
    return url;
}

}  // namespace orch::core
