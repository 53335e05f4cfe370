// The opaque text of a lease: run, task, attempt and a random token, so that any lease finds its row by key and gets its true answer.
#pragma once

#include "core/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orch::core {

struct Lease {
    Uuid run_id{};
    int32_t task_no = 0;
    int32_t attempt = 0;
    uint64_t token = 0;

    bool operator==(const Lease &) const = default;
};

/// Always 43 characters of [A-Za-z0-9_-].
std::string encode_lease(const Lease &lease);

/// Nothing for any text that encode_lease does not make.
std::optional<Lease> decode_lease(std::string_view text);

}  // namespace orch::core
