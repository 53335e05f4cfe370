// PostgreSQL's own HMAC-SHA256 and its source of secrets.
#pragma once

#include "pg/bridge.hpp"

namespace orch::pg {

using Sha256 = std::array<uint8_t, 32>;

/// Of the parts, one after the other.
Sha256 hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts);

/// 32 bytes that nobody can guess.
Sha256 random_bytes();

}  // namespace orch::pg
