#include "core/lease_text.hpp"

#include <array>
#include <cstddef>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t byte_count = 32, text_length = 43;  // 43 * 6 = 258 bits: the last two are zero

constexpr std::array<int8_t, 256> make_values()
{
    std::array<int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); i++) values[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
    return values;
}
constexpr auto values = make_values();

using Bytes = std::array<uint8_t, byte_count>;

template <class T>
void put(Bytes &bytes, std::size_t at, T value)
{
    for (std::size_t i = 0; i < sizeof(T); i++) bytes[at + i] = static_cast<uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
}

template <class T>
T take(const Bytes &bytes, std::size_t at)
{
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); i++) value = static_cast<T>(value << 8 | bytes[at + i]);
    return value;
}

}  // namespace

std::string encode_lease(const Lease &lease)
{
    Bytes bytes{};
    for (std::size_t i = 0; i < lease.run_id.size(); i++) bytes[i] = lease.run_id[i];
    put(bytes, 16, static_cast<uint32_t>(lease.task_no));
    put(bytes, 20, static_cast<uint32_t>(lease.attempt));
    put(bytes, 24, lease.token);

    std::string text;
    text.reserve(text_length);
    for (std::size_t bit = 0; bit < byte_count * 8; bit += 6) {
        const std::size_t at = bit / 8;
        const unsigned pair = bytes[at] << 8 | (at + 1 < byte_count ? bytes[at + 1] : 0);
        text += alphabet[(pair >> (10 - bit % 8)) & 0x3f];
    }
    return text;
}

std::optional<Lease> decode_lease(std::string_view text)
{
    if (text.size() != text_length) return std::nullopt;
    Bytes bytes{};
    std::size_t filled = 0;
    unsigned pending = 0;
    int pending_bits = 0;
    for (char c : text) {
        const int8_t value = values[static_cast<uint8_t>(c)];
        if (value < 0) return std::nullopt;
        pending = pending << 6 | static_cast<unsigned>(value);
        pending_bits += 6;
        if (pending_bits < 8 || filled == byte_count) continue;
        pending_bits -= 8;
        bytes[filled++] = static_cast<uint8_t>(pending >> pending_bits);
        pending &= (1u << pending_bits) - 1;
    }
    if (pending != 0) return std::nullopt;  // a second text for the same lease

    Lease lease;
    for (std::size_t i = 0; i < lease.run_id.size(); i++) lease.run_id[i] = bytes[i];
    lease.task_no = static_cast<int32_t>(take<uint32_t>(bytes, 16));
    lease.attempt = static_cast<int32_t>(take<uint32_t>(bytes, 20));
    lease.token = take<uint64_t>(bytes, 24);
    if (lease.task_no < 0 || lease.attempt < 1) return std::nullopt;
    return lease;
}

}  // namespace orch::core
