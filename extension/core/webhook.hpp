// What a signed delivery looks like, in and out: which headers say what, what is signed, and what an address may be. The hash itself is the server's to compute.
#pragma once

#include "core/json.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orch::core {

/// How a sender signs. `github`: X-Hub-Signature-256 over the body. `standard`: the headers and the text of Standard Webhooks. `hex`: a header of plain hexadecimal digits over the body.
enum class HookFormat : uint8_t { github, standard, hex };

std::optional<HookFormat> hook_format_from(std::string_view word);
std::string_view hook_format_name(HookFormat format);

/// The header that carries a signature where none is named, and the one with the id of the delivery; in lower case.
std::string_view signature_header(HookFormat format);
std::string_view delivery_header(HookFormat format);

/// How far the time of a delivery may be off, as Standard Webhooks has it.
inline constexpr int64_t hook_tolerance_seconds = 300;

/// What a delivery says of itself.
struct SignedDelivery {
    std::string id;                       // empty where the format has none and none came
    std::string signed_text_prefix;       // stands before the body in what is signed
    std::vector<std::string> signatures;  // any of them may be the right one, as text
    std::optional<int64_t> timestamp;     // where it is signed
};

/// Nothing where a header that the format needs is missing, or is none. `headers` is an object of texts by lower-case names. `header` is where a signature stands, for `hex`.
std::optional<SignedDelivery> read_delivery(HookFormat format, std::string_view header, const Json &headers);

/// What the right signature of a delivery reads, given the 32 bytes of its HMAC-SHA256.
std::string signature_text(HookFormat format, std::span<const uint8_t> hmac);

/// Whether two texts are equal, in a time that tells nothing of where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// The bytes that a secret stands for: `whsec_` and base64, or the text itself. Nothing where the base64 is none.
std::optional<std::string> secret_bytes(std::string_view secret);
inline constexpr std::string_view secret_prefix = "whsec_";
inline constexpr size_t shortest_secret = 16;
inline constexpr size_t longest_secret = 500;

/// Scheme, host and port of an http or https address: what may be shown of it. Nothing for what is no such address; one with a user's name in it is none.
std::optional<std::string> origin_of_url(std::string_view url);

/// Events that somebody outside can be told of; a set is the sum of their bits.
struct NotifiedEvent {
    std::string_view name;
    int16_t kind;  // the number of the event; 0 for a dead letter, which is none
    int16_t bit;
};
std::span<const NotifiedEvent> notified_events();
const NotifiedEvent *notified_event_from(std::string_view name);
const NotifiedEvent *notified_event_of(int16_t kind);

/// A moment, in microseconds since 1970, as RFC 3339 has it.
std::string rfc3339(int64_t microseconds);

/// CloudEvents' own fields come first, then ours.
struct CloudEvent {
    std::string id, type, tenant, workflow, subject, time;
    Json data;
};
std::string cloud_event_text(const CloudEvent &event);

}  // namespace orch::core
