// Smallest key first, where keys mostly arrive in order: a sorted list for those that do, a pairing heap for the rest.
//
// Ready times and timers of one delay only grow, and a heap pays for that: after a million pushes in order its first pop touches a million nodes, under a lock.
// Here those cost a link each, at both ends.
#pragma once

#include "shared/pairing_heap.hpp"

namespace orch::shared {

/// Node has `int64_t key`, `Index child` and `Index next`.
template <class Node>
struct KeyQueue {
    Index first = nil;
    Index last = nil;
    PairingHeap<Node> rest;
    uint32_t count = 0;

    bool empty() const noexcept { return count == 0; }

    void push(Node *nodes, Index index) noexcept
    {
        Node &node = nodes[index];
        count++;
        if (first == nil) {
            node.next = nil;
            first = last = index;
        } else if (node.key >= nodes[last].key) {
            node.next = nil;
            nodes[last].next = index;
            last = index;
        } else if (node.key <= nodes[first].key) {  // what an abort gives back
            node.next = first;
            first = index;
        } else {
            rest.push(nodes, index);
        }
    }

    /// nil when empty.
    Index top(const Node *nodes) const noexcept
    {
        if (first == nil) return rest.root;
        if (rest.empty()) return first;
        return nodes[rest.root].key < nodes[first].key ? rest.root : first;
    }

    /// INT64_MAX when empty.
    int64_t smallest(const Node *nodes) const noexcept
    {
        const Index index = top(nodes);
        return index == nil ? INT64_MAX : nodes[index].key;
    }

    /// nil when empty.
    Index pop(Node *nodes) noexcept
    {
        const Index index = top(nodes);
        if (index == nil) return nil;
        count--;
        if (index == first) {
            first = nodes[index].next;
            if (first == nil) last = nil;
            return index;
        }
        return rest.pop(nodes);
    }
};

}  // namespace orch::shared
