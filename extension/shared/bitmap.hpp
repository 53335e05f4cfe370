// A set of small numbers.
#pragma once

#include <bit>
#include <cstdint>

namespace orch::shared {

template <int size>
struct Bitmap {
    static_assert(size % 64 == 0);
    static constexpr int words = size / 64;
    uint64_t bits[words] = {};

    bool test(int i) const noexcept { return bits[i >> 6] >> (i & 63) & 1; }
    void set(int i) noexcept { bits[i >> 6] |= uint64_t{1} << (i & 63); }
    void reset(int i) noexcept { bits[i >> 6] &= ~(uint64_t{1} << (i & 63)); }
    void put(int i, bool in) noexcept { in ? set(i) : reset(i); }
    void clear() noexcept
    {
        for (uint64_t &word : bits) word = 0;
    }
    bool any() const noexcept
    {
        for (const uint64_t word : bits)
            if (word) return true;
        return false;
    }
    int count() const noexcept
    {
        int n = 0;
        for (const uint64_t word : bits) n += std::popcount(word);
        return n;
    }

    /// Every member, ascending. `visit` may remove it.
    template <class Visit>
    void each(Visit visit) const noexcept
    {
        for (int w = 0; w < words; w++)
            for (uint64_t word = bits[w]; word; word &= word - 1) visit(w * 64 + std::countr_zero(word));
    }

    /// The first member from `start` on, around the end, for which `wanted(member)`; -1 where there is none.
    template <class Wanted>
    int find_from(int start, Wanted wanted) const noexcept
    {
        for (int n = 0; n <= words; n++) {
            const int w = (start / 64 + n) % words;
            uint64_t word = bits[w];
            const uint64_t below = (uint64_t{1} << (start & 63)) - 1;
            if (n == 0) word &= ~below;
            if (n == words) word &= below;
            for (; word; word &= word - 1) {
                const int member = w * 64 + std::countr_zero(word);
                if (wanted(member)) return member;
            }
        }
        return -1;
    }
};

}  // namespace orch::shared
