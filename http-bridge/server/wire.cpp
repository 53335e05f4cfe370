#include "server/wire.hpp"

#include "core/encoding.hpp"
#include "core/problem.hpp"
#include "server/text.hpp"

#include <boost/beast/http/status.hpp>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace orch::bridge {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void add_line(std::string &head, std::string_view name, std::string_view value)
{
    head += name;
    head += ": ";
    // A value that came from somewhere else must not begin a line of its own.
    for (const char c : value) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    head += "\r\n";
}

std::string http_date()
{
    static std::time_t made = 0;
    static std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != made) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        std::array<char, 64> buffer{};
        text.assign(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
        made = now;
    }
    return text;
}

bool may_call(const Options &options, const Request &request)
{
    const std::string_view origin = request.header("Origin");
    return !origin.empty() && std::find(options.cors_origins.begin(), options.cors_origins.end(), origin) != options.cors_origins.end();
}

}  // namespace

std::string response_head(const Options &options, const Request &request, const Response &response, const Framing &framing)
{
    std::string head;
    head.reserve(1024);
    const std::string_view reason = http::obsolete_reason(static_cast<http::status>(response.status));
    head += "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += reason;
    head += "\r\n";
    const auto given = [&](std::string_view name) {
        return std::any_of(response.headers.begin(), response.headers.end(), [&](const auto &header) { return equal_without_case(header.first, name); });
    };
    for (const auto &[name, value] : response.headers) add_line(head, name, value);
    add_line(head, "Date", http_date());
    add_line(head, "X-Request-Id", request.id);
    add_line(head, "X-Content-Type-Options", "nosniff");
    add_line(head, "X-Frame-Options", "DENY");
    add_line(head, "Referrer-Policy", "no-referrer");
    if (!given("Content-Security-Policy")) add_line(head, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    if (!given("Cache-Control")) add_line(head, "Cache-Control", "no-store");
    if (!options.certificate.empty()) add_line(head, "Strict-Transport-Security", "max-age=31536000");
    if (!options.cors_origins.empty()) {
        add_line(head, "Vary", "Origin");
        if (may_call(options, request)) {
            add_line(head, "Access-Control-Allow-Origin", request.header("Origin"));
            add_line(head, "Access-Control-Expose-Headers",
                     "ETag, Link, Location, Preference-Applied, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id");
        }
    }
    if (framing.chunked) add_line(head, "Transfer-Encoding", "chunked");
    else if (framing.length) add_line(head, "Content-Length", std::to_string(*framing.length));
    add_line(head, "Connection", framing.close ? "close" : "keep-alive");
    head += "\r\n";
    return head;
}

std::string chunk_head(size_t size)
{
    std::string text;
    do text.insert(text.begin(), hex_digits[size & 15]);
    while ((size >>= 4) != 0);
    return text + "\r\n";
}

void add_preflight(const Options &options, const Request &request, const std::string &methods, Response &response)
{
    if (!may_call(options, request) || request.header("Access-Control-Request-Method").empty()) return;
    response.with("Access-Control-Allow-Methods", methods)
        .with("Access-Control-Allow-Headers",
              "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, traceparent, X-Request-Id")
        .with("Access-Control-Max-Age", "600");
}

std::string new_request_id()
{
    std::array<unsigned char, 16> bytes{};
    RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
    return core::hex(bytes);
}

std::string request_id_of(const Request &request)
{
    const std::string_view given = request.header("X-Request-Id");
    const auto sane = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || std::string_view("-_.:/+=").find(c) != std::string_view::npos;
    };
    if (!given.empty() && given.size() <= 128 && std::all_of(given.begin(), given.end(), sane)) return std::string(given);
    return new_request_id();
}

std::string traceparent_of(const Request &request)
{
    const std::string_view given = request.header("traceparent");
    if (given.size() != 55 || !given.starts_with("00-") || given[35] != '-' || given[52] != '-') return {};
    const auto is_hex = [](std::string_view part) { return part.find_first_not_of(hex_digits) == part.npos; };
    const std::string_view trace = given.substr(3, 32), span = given.substr(36, 16);
    if (!is_hex(trace) || !is_hex(span) || !is_hex(given.substr(53, 2))) return {};
    if (trace.find_first_not_of('0') == trace.npos || span.find_first_not_of('0') == span.npos) return {};
    return std::string(given);
}

std::string core_quoted(std::string_view text) { return core::in_quotes(text); }

}  // namespace orch::bridge
