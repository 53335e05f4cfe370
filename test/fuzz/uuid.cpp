// UUIDs: text and bytes are one, and a range of ids goes up.

#include "fuzz.hpp"

#include "core/uuid.hpp"

#include <algorithm>
#include <cctype>

using namespace orch::core;
using orch::fuzz::promise;

void orch::fuzz::one(std::string_view bytes)
{
    if (const auto uuid = uuid_from_text(bytes)) {
        std::string lower(bytes);
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        promise(uuid_to_text(*uuid) == lower, "a UUID is written as it was read");
    }

    Uuid uuid{};
    if (bytes.size() < uuid.size()) return;
    std::copy_n(bytes.begin(), uuid.size(), uuid.begin());
    const auto back = uuid_from_text(uuid_to_text(uuid));
    promise(back && *back == uuid, "any bytes have a text");

    uuid[6] = static_cast<uint8_t>(0x70 | (uuid[6] & 0x0f));
    const uint64_t sequence = uuid_sequence(uuid);
    promise(uuid_milliseconds(uuid) == sequence >> 12, "a sequence begins with its milliseconds");
    const uint64_t offset = bytes.size() * 1000;
    constexpr uint64_t last = (uint64_t{1} << 60) - 1;
    if (sequence > last - offset) return;
    const Uuid later = uuid_in_range(uuid, offset);
    promise(uuid_sequence(later) == sequence + offset, "a range counts the sequence up");
    promise(later > uuid || offset == 0, "so that ids are in order");
    promise(std::equal(uuid.begin() + 8, uuid.end(), later.begin() + 8), "and keeps the random bits");
}
