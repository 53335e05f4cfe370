// The order of a graph by Kahn's algorithm (A. B. Kahn, "Topological sorting of large networks", CACM 5(11), 1962), and its cycles where it has no order.
// No recursion: a chain or a cycle may be as long as the definition allows.
#pragma once

#include <cstdint>
#include <vector>

namespace orch::core {

/// Edges of each node, both ways.
struct Edges {
    std::vector<std::vector<int32_t>> parents, children;

    explicit Edges(std::size_t count) : parents(count), children(count) {}
    void add(int32_t parent, int32_t child)
    {
        parents[child].push_back(parent);
        children[parent].push_back(child);
    }
};

struct Topology {
    std::vector<int32_t> order;  // nodes that lie on or behind a cycle are not in it
    std::vector<int32_t> level;  // longest path from a root, in edges
};

Topology sort(const Edges &edges);

/// Cycles among the nodes that `topology` leaves out: each once, in the order of running from its lowest node on, with no node in two of them. Not every cycle of a
/// tangle is listed, but mending all listed ones again and again ends with none.
std::vector<std::vector<int32_t>> find_cycles(const Edges &edges, const Topology &topology);

}  // namespace orch::core
