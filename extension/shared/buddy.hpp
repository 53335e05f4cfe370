// A buddy allocator (Knowlton 1965) in a fixed arena: blocks of 64 bytes times a power of two. Used for counters, whose sizes differ by five orders of magnitude.
#pragma once

#include "shared/index.hpp"

#include <bit>
#include <cstddef>

namespace orch::shared {

struct BuddyArena {
    static constexpr uint32_t unit = 64;
    static constexpr int orders = 26;

    // One byte a unit: order of the block that begins there plus 1, with `is_free`; 0 inside a block.
    static constexpr uint8_t is_free = 0x80;

    struct FreeBlock {
        Index prev, next;
    };

    Index free_heads[orders];
    uint32_t units = 0;
    uint32_t used = 0;  // units

    /// Bytes that an arena of `bytes` needs beside it for its marks.
    static constexpr size_t mark_bytes(size_t bytes) noexcept { return bytes / unit; }

    static int order_of(size_t bytes) noexcept
    {
        const size_t wanted = bytes <= unit ? 1 : (bytes + unit - 1) / unit;
        return std::bit_width(std::bit_ceil(wanted)) - 1;
    }

    /// `marks` must be zero.
    void init(std::byte *arena, uint8_t *marks, size_t bytes) noexcept
    {
        for (Index &head : free_heads) head = nil;
        units = static_cast<uint32_t>(bytes / unit);
        used = 0;
        for (uint32_t at = 0; at < units;) {
            int order = std::bit_width(units - at) - 1;
            if (at != 0 && std::countr_zero(at) < order) order = std::countr_zero(at);
            if (order >= orders) order = orders - 1;
            put_free(arena, marks, at, order);
            at += uint32_t{1} << order;
        }
    }

    /// The unit that the block begins at; nil without room.
    Index allocate(std::byte *arena, uint8_t *marks, size_t bytes) noexcept
    {
        const int wanted = order_of(bytes);
        int order = wanted;
        while (order < orders && free_heads[order] == nil) order++;
        if (order >= orders) return nil;
        const Index at = free_heads[order];
        unlink(arena, at, order);
        while (order > wanted) {
            order--;
            put_free(arena, marks, at + (uint32_t{1} << order), order);
        }
        marks[at] = static_cast<uint8_t>(order + 1);
        used += uint32_t{1} << order;
        return at;
    }

    void free(std::byte *arena, uint8_t *marks, Index at) noexcept
    {
        int order = marks[at] - 1;
        used -= uint32_t{1} << order;
        marks[at] = 0;
        while (order + 1 < orders) {
            const Index buddy = at ^ (uint32_t{1} << order);
            if (buddy + (uint64_t{1} << order) > units || marks[buddy] != (is_free | (order + 1))) break;
            unlink(arena, buddy, order);
            marks[buddy] = 0;
            if (buddy < at) at = buddy;
            order++;
        }
        put_free(arena, marks, at, order);
    }

private:
    static FreeBlock &block(std::byte *arena, Index at) noexcept { return *reinterpret_cast<FreeBlock *>(arena + size_t{at} * unit); }

    void put_free(std::byte *arena, uint8_t *marks, Index at, int order) noexcept
    {
        marks[at] = static_cast<uint8_t>(is_free | (order + 1));
        block(arena, at) = {nil, free_heads[order]};
        if (free_heads[order] != nil) block(arena, free_heads[order]).prev = at;
        free_heads[order] = at;
    }

    void unlink(std::byte *arena, Index at, int order) noexcept
    {
        const FreeBlock found = block(arena, at);
        if (found.prev == nil) free_heads[order] = found.next;
        else block(arena, found.prev).next = found.next;
        if (found.next != nil) block(arena, found.next).prev = found.prev;
    }
};

}  // namespace orch::shared
