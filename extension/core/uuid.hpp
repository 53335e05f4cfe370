// UUIDs of runs: version 7 (RFC 9562), so ordered by time; text, bytes and arithmetic.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orch::core {

using Uuid = std::array<uint8_t, 16>;

std::string uuid_to_text(const Uuid &uuid);
/// Strictly 8-4-4-4-12 hexadecimal digits, upper or lower case, of any version.
std::optional<Uuid> uuid_from_text(std::string_view text);

/// From 48 bits of unix milliseconds, a 12-bit counter and 62 random bits; higher bits are ignored.
Uuid compose_uuid_v7(uint64_t milliseconds, uint16_t counter, uint64_t random62);

/// Milliseconds and counter as one number, ms << 12 | counter: what orders ids.
uint64_t uuid_sequence(const Uuid &uuid);
uint64_t uuid_milliseconds(const Uuid &uuid);

/// The id `offset` places after `first` in a consecutive range: its sequence raised by offset, its random bits kept.
Uuid uuid_in_range(const Uuid &first, uint64_t offset);

}  // namespace orch::core
