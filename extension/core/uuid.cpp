#include "core/uuid.hpp"

#include "core/encoding.hpp"

#include <cstddef>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr bool is_dash_place(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

void write_sequence(Uuid &uuid, uint64_t sequence)
{
    const uint64_t milliseconds = sequence >> 12;
    for (int i = 0; i < 6; i++) uuid[i] = static_cast<uint8_t>(milliseconds >> (40 - 8 * i));
    uuid[6] = static_cast<uint8_t>(0x70 | ((sequence >> 8) & 0x0f));
    uuid[7] = static_cast<uint8_t>(sequence);
}

}  // namespace

std::string uuid_to_text(const Uuid &uuid)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text(36, '-');
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (is_dash_place(i)) continue;
        text[i] = digits[(uuid[nibble / 2] >> (nibble % 2 ? 0 : 4)) & 0x0f];
        nibble++;
    }
    return text;
}

std::optional<Uuid> uuid_from_text(std::string_view text)
{
    if (text.size() != 36) return std::nullopt;
    Uuid uuid{};
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (is_dash_place(i)) {
            if (text[i] != '-') return std::nullopt;
            continue;
        }
        const int value = hex_digit(text[i]);
        if (value < 0) return std::nullopt;
        uuid[nibble / 2] = static_cast<uint8_t>(uuid[nibble / 2] << 4 | value);
        nibble++;
    }
    return uuid;
}

Uuid compose_uuid_v7(uint64_t milliseconds, uint16_t counter, uint64_t random62)
{
    Uuid uuid{};
    write_sequence(uuid, milliseconds << 12 | (counter & 0x0fffu));
    uuid[8] = static_cast<uint8_t>(0x80 | ((random62 >> 56) & 0x3f));
    for (int i = 1; i < 8; i++) uuid[8 + i] = static_cast<uint8_t>(random62 >> (56 - 8 * i));
    return uuid;
}

uint64_t uuid_sequence(const Uuid &uuid) { return uuid_milliseconds(uuid) << 12 | (uuid[6] & 0x0fu) << 8 | uuid[7]; }

uint64_t uuid_milliseconds(const Uuid &uuid)
{
    uint64_t milliseconds = 0;
    for (int i = 0; i < 6; i++) milliseconds = milliseconds << 8 | uuid[i];
    return milliseconds;
}

Uuid uuid_in_range(const Uuid &first, uint64_t offset)
{
    Uuid uuid = first;
    write_sequence(uuid, uuid_sequence(first) + offset);
    return uuid;
}

}  // namespace orch::core
