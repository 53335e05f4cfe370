// A hash table of fixed buckets: chains through a link in the nodes. Never grows, never allocates; a fuller table has longer chains.
#pragma once

#include "shared/index.hpp"

#include <bit>
#include <cstring>

namespace orch::shared {

/// Murmur3's finisher over the bytes of a key: the random bits of a run id are in its last eight bytes, its counter in the first.
inline uint64_t mix(uint64_t x) noexcept
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

template <class Id>
uint64_t hash_id(const Id &id, uint64_t more = 0) noexcept
{
    static_assert(sizeof(Id) == 16);
    uint64_t words[2];
    std::memcpy(words, &id, sizeof(words));
    return mix(words[0] ^ mix(words[1] ^ more));
}

template <class Node, Index Node::*link, uint32_t buckets>
struct HashChains {
    static_assert(std::has_single_bit(buckets));
    Index heads[buckets];

    void clear() noexcept
    {
        for (Index &head : heads) head = nil;
    }

    void insert(Node *nodes, Index index, uint64_t hash) noexcept
    {
        Index &head = heads[hash & (buckets - 1)];
        nodes[index].*link = head;
        head = index;
    }

    /// The newest node for which `matches(node)`; nil where there is none.
    template <class Matches>
    Index find(const Node *nodes, uint64_t hash, Matches matches) const noexcept
    {
        Index index = heads[hash & (buckets - 1)];
        while (index != nil && !matches(nodes[index])) index = nodes[index].*link;
        return index;
    }

    template <class Visit>
    void each(Node *nodes, uint64_t hash, Visit visit) noexcept
    {
        for (Index index = heads[hash & (buckets - 1)]; index != nil;) {
            const Index following = nodes[index].*link;
            visit(index);
            index = following;
        }
    }

    /// False where it was not in.
    bool remove(Node *nodes, Index index, uint64_t hash) noexcept
    {
        for (Index *at = &heads[hash & (buckets - 1)]; *at != nil; at = &(nodes[*at].*link)) {
            if (*at != index) continue;
            *at = nodes[index].*link;
            return true;
        }
        return false;
    }
};

}  // namespace orch::shared
