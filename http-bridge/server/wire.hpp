// What goes over the wire beside bodies: heads of answers, chunks, ids.
#pragma once

#include "options.hpp"
#include "server/response.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace orch::bridge {

struct Framing {
    bool close = false, chunked = false;
    std::optional<size_t> length{};
};

/// Status line and headers: those of the answer, those that every answer has, those that the caller's Origin may have.
[[nodiscard]] std::string response_head(const Options &options, const Request &request, const Response &response, const Framing &framing);
[[nodiscard]] std::string chunk_head(size_t size);

/// What a browser asks before it asks; nothing is said to origins that may not.
void add_preflight(const Options &options, const Request &request, const std::string &methods, Response &response);

[[nodiscard]] std::string new_request_id();
/// The caller's X-Request-Id where it is sane, else a new one.
[[nodiscard]] std::string request_id_of(const Request &request);
/// The caller's traceparent where it is well-formed, else nothing.
[[nodiscard]] std::string traceparent_of(const Request &request);

/// In double quotes, safe to show.
[[nodiscard]] std::string core_quoted(std::string_view text);

}  // namespace orch::bridge
