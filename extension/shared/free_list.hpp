// Free places of a slab: a list through the nodes' own `next`, and a mark above which no node was ever used, so that nothing touches memory before it is needed.
#pragma once

#include "shared/index.hpp"

namespace orch::shared {

template <class Node>
struct FreeList {
    Index head = nil;
    uint32_t count = 0;  // in the list; fresh ones not counted

    void push(Node *nodes, Index index) noexcept
    {
        nodes[index].next = head;
        head = index;
        count++;
    }

    Index pop(Node *nodes) noexcept
    {
        if (head == nil) return nil;
        const Index index = head;
        head = nodes[index].next;
        count--;
        return index;
    }
};

/// All nodes of a slab that belong to nobody.
template <class Node>
struct Pool {
    FreeList<Node> list;
    uint32_t fresh = 0;  // nodes below were used at least once
    uint32_t capacity = 0;

    Index pop(Node *nodes) noexcept
    {
        const Index index = list.pop(nodes);
        if (index != nil) return index;
        return fresh < capacity ? fresh++ : nil;
    }
    void push(Node *nodes, Index index) noexcept { list.push(nodes, index); }
    uint32_t available() const noexcept { return list.count + (capacity - fresh); }
};

/// Moves up to `wanted` nodes from the pool to somebody's own list; returns how many.
template <class Node>
uint32_t draw(Pool<Node> &pool, FreeList<Node> &into, Node *nodes, uint32_t wanted) noexcept
{
    uint32_t drawn = 0;
    for (; drawn < wanted; drawn++) {
        const Index index = pool.pop(nodes);
        if (index == nil) break;
        into.push(nodes, index);
    }
    return drawn;
}

/// Gives nodes back to the pool until `keep` are left.
template <class Node>
void give_back(Pool<Node> &pool, FreeList<Node> &from, Node *nodes, uint32_t keep) noexcept
{
    while (from.count > keep) pool.push(nodes, from.pop(nodes));
}

}  // namespace orch::shared
