#include "core/webhook.hpp"

#include "core/encoding.hpp"
#include "core/states.hpp"
#include "core/text.hpp"

#include <array>
#include <charconv>
#include <chrono>

#include "core/last_include.hpp"

namespace orch::core {

namespace {

constexpr size_t longest_delivery_id = 256;
constexpr size_t most_signatures = 10;

constexpr NotifiedEvent notified[] = {
    {"run_succeeded", static_cast<int16_t>(EventKind::run_succeeded), 1},
    {"run_failed", static_cast<int16_t>(EventKind::run_failed), 2},
    {"run_timed_out", static_cast<int16_t>(EventKind::run_timed_out), 4},
    {"run_cancelled", static_cast<int16_t>(EventKind::run_cancelled), 8},
    {"dead_letter", 0, 16},
};

std::string header_text(const Json &headers, std::string_view name)
{
    const Json *value = member(headers, name);
    return value && value->is_string() ? std::string(trimmed(value->get_ref<const std::string &>())) : std::string();
}

bool is_delivery_id(std::string_view id)
{
    if (id.size() > longest_delivery_id) return false;
    for (const char c : id)
        if (static_cast<unsigned char>(c) < 0x21 || c == 0x7f) return false;
    return true;
}

std::string lower_hex(std::string text)
{
    for (char &c : text)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

}  // namespace

std::optional<HookFormat> hook_format_from(std::string_view word)
{
    for (const HookFormat format : {HookFormat::github, HookFormat::standard, HookFormat::hex})
        if (word == hook_format_name(format)) return format;
    return std::nullopt;
}

std::string_view hook_format_name(HookFormat format)
{
    switch (format) {
    case HookFormat::github: return "github";
    case HookFormat::standard: return "standard";
    default: return "hex";
    }
}

std::string_view signature_header(HookFormat format)
{
    switch (format) {
    case HookFormat::github: return "x-hub-signature-256";
    case HookFormat::standard: return "webhook-signature";
    default: return "x-signature";
    }
}

std::string_view delivery_header(HookFormat format)
{
    switch (format) {
    case HookFormat::github: return "x-github-delivery";
    case HookFormat::standard: return "webhook-id";
    default: return "x-delivery-id";
    }
}

std::optional<SignedDelivery> read_delivery(HookFormat format, std::string_view header, const Json &headers)
{
    SignedDelivery delivery;
    delivery.id = header_text(headers, delivery_header(format));
    if (!is_delivery_id(delivery.id)) return std::nullopt;
    const std::string signature = header_text(headers, header);
    if (format == HookFormat::github) {
        constexpr std::string_view before = "sha256=";
        if (!signature.starts_with(before)) return std::nullopt;
        delivery.signatures.push_back(lower_hex(signature.substr(before.size())));
    } else if (format == HookFormat::hex) {
        if (signature.empty()) return std::nullopt;
        delivery.signatures.push_back(lower_hex(signature));
    } else {
        const std::string stamp = header_text(headers, "webhook-timestamp");
        int64_t seconds = 0;
        const auto [end, failure] = std::from_chars(stamp.data(), stamp.data() + stamp.size(), seconds);
        if (delivery.id.empty() || stamp.empty() || failure != std::errc() || end != stamp.data() + stamp.size() || seconds < 0) return std::nullopt;
        delivery.timestamp = seconds;
        delivery.signed_text_prefix = delivery.id + '.' + stamp + '.';
        for (size_t at = 0; at < signature.size() && delivery.signatures.size() < most_signatures;) {
            const size_t space = std::min(signature.find(' ', at), signature.size());
            const std::string one = signature.substr(at, space - at);
            if (one.starts_with("v1,")) delivery.signatures.push_back(one.substr(3));
            at = space + 1;
        }
        if (delivery.signatures.empty()) return std::nullopt;
    }
    return delivery;
}

std::string signature_text(HookFormat format, std::span<const uint8_t> hmac) { return format == HookFormat::standard ? base64(hmac) : hex(hmac); }

bool equal_in_constant_time(std::string_view a, std::string_view b)
{
    // The length of a right one is known to all.
    if (a.size() != b.size()) return false;
    volatile unsigned char differs = 0;
    for (size_t i = 0; i < a.size(); i++) differs = static_cast<unsigned char>(differs | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
    return differs == 0;
}

std::optional<std::string> secret_bytes(std::string_view secret)
{
    if (!secret.starts_with(secret_prefix)) return std::string(secret);
    return from_base64(secret.substr(secret_prefix.size()));
}

std::optional<std::string> origin_of_url(std::string_view url)
{
    constexpr size_t longest_url = 2048;
    const std::string_view scheme = url.starts_with("https://") ? "https://" : url.starts_with("http://") ? "http://" : "";
    if (scheme.empty() || url.size() > longest_url) return std::nullopt;
    for (const char c : url)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>')
            return std::nullopt;
    const std::string_view rest = url.substr(scheme.size());
    const std::string_view authority = rest.substr(0, std::min(rest.find_first_of("/?#"), rest.size()));
    if (authority.empty() || authority.starts_with(':') || authority.find('@') != std::string_view::npos) return std::nullopt;
    return std::string(scheme) + std::string(authority);
}

std::span<const NotifiedEvent> notified_events() { return notified; }

const NotifiedEvent *notified_event_from(std::string_view name)
{
    for (const NotifiedEvent &event : notified)
        if (event.name == name) return &event;
    return nullptr;
}

const NotifiedEvent *notified_event_of(int16_t kind)
{
    for (const NotifiedEvent &event : notified)
        if (event.kind == kind) return &event;
    return nullptr;
}

std::string rfc3339(int64_t microseconds)
{
    using namespace std::chrono;
    const sys_time<std::chrono::microseconds> at{std::chrono::microseconds(microseconds)};
    const auto day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss time(at - day);
    std::string text;
    const auto put = [&](int64_t number, size_t digits, char before) {
        if (before) text += before;
        const std::string plain = std::to_string(number);
        text.append(digits > plain.size() ? digits - plain.size() : 0, '0');
        text += plain;
    };
    put(static_cast<int>(date.year()), 4, 0);
    put(static_cast<unsigned>(date.month()), 2, '-');
    put(static_cast<unsigned>(date.day()), 2, '-');
    put(time.hours().count(), 2, 'T');
    put(time.minutes().count(), 2, ':');
    put(time.seconds().count(), 2, ':');
    put(time.subseconds().count(), 6, '.');
    return text + 'Z';
}

std::string cloud_event_text(const CloudEvent &event)
{
    // Ids of workflows hold nothing that a URI reference would not take as it is.
    const Json json{{"specversion", "1.0"},     {"id", event.id},     {"source", "/workflows/" + event.workflow}, {"type", "orch." + event.type},
                    {"subject", event.subject}, {"time", event.time}, {"datacontenttype", "application/json"},    {"schemaversion", "1"},
                    {"tenant", event.tenant},   {"data", event.data}};
    return to_text(json);
}

}  // namespace orch::core
