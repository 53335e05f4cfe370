// A pairing heap over nodes of a slab: the smallest int64 key first (Fredman, Sedgewick, Sleator, Tarjan 1986). No node knows its parent, so only the smallest can leave:
// entries that have become worthless are recognised when they come up.
#pragma once

#include "shared/index.hpp"

namespace orch::shared {

/// Node has `int64_t key`, `Index child` and `Index next`.
template <class Node>
struct PairingHeap {
    Index root = nil;

    bool empty() const noexcept { return root == nil; }

    void push(Node *nodes, Index index) noexcept
    {
        nodes[index].child = nil;
        nodes[index].next = nil;
        root = root == nil ? index : meld(nodes, root, index);
    }

    /// The heap must not be empty.
    Index pop(Node *nodes) noexcept
    {
        const Index top = root;
        root = merge_pairs(nodes, nodes[top].child);
        nodes[top].child = nil;
        return top;
    }

private:
    static Index meld(Node *nodes, Index a, Index b) noexcept
    {
        if (nodes[b].key < nodes[a].key) {
            const Index swap = a;
            a = b;
            b = swap;
        }
        nodes[b].next = nodes[a].child;
        nodes[a].child = b;
        return a;
    }

    // Left to right in pairs, pushing each onto a stack made of the same links; then the stack, which is right to left, into one. No recursion: a list may be long.
    static Index merge_pairs(Node *nodes, Index list) noexcept
    {
        Index stack = nil;
        while (list != nil) {
            const Index a = list, b = nodes[a].next;
            Index pair = a;
            if (b == nil) {
                list = nil;
            } else {
                list = nodes[b].next;
                nodes[a].next = nil;
                nodes[b].next = nil;
                pair = meld(nodes, a, b);
            }
            nodes[pair].next = stack;
            stack = pair;
        }
        if (stack == nil) return nil;
        Index merged = stack;
        stack = nodes[stack].next;
        nodes[merged].next = nil;
        while (stack != nil) {
            const Index following = nodes[stack].next;
            nodes[stack].next = nil;
            merged = meld(nodes, merged, stack);
            stack = following;
        }
        return merged;
    }
};

}  // namespace orch::shared
