#include "core/topology.hpp"

#include <algorithm>

#include "core/last_include.hpp"

namespace orch::core {

Topology sort(const Edges &edges)
{
    const std::size_t count = edges.parents.size();
    Topology topology;
    topology.order.reserve(count);
    topology.level.assign(count, 0);
    std::vector<std::size_t> open(count);
    for (std::size_t node = 0; node < count; node++) {
        open[node] = edges.parents[node].size();
        if (open[node] == 0) topology.order.push_back(static_cast<int32_t>(node));
    }
    // The order is its own queue: what stands behind `next` has no open parent but children yet to be told.
    for (std::size_t next = 0; next < topology.order.size(); next++) {
        const int32_t node = topology.order[next];
        for (int32_t child : edges.children[node]) {
            topology.level[child] = std::max(topology.level[child], topology.level[node] + 1);
            if (--open[child] == 0) topology.order.push_back(child);
        }
    }
    return topology;
}

std::vector<std::vector<int32_t>> find_cycles(const Edges &edges, const Topology &topology)
{
    const std::size_t count = edges.parents.size();
    constexpr int32_t never = -1, sorted = -2;
    std::vector<int32_t> seen_by(count, never);
    for (int32_t node : topology.order) seen_by[node] = sorted;

    // Every node left has a parent that is left, so walking up from one must meet itself, or the trail of an earlier walk.
    std::vector<std::vector<int32_t>> cycles;
    for (std::size_t start = 0; start < count; start++) {
        if (seen_by[start] != never) continue;
        const auto walk = static_cast<int32_t>(start);
        std::vector<int32_t> trail;
        auto node = walk;
        while (seen_by[node] == never) {
            seen_by[node] = walk;
            trail.push_back(node);
            node = *std::find_if(edges.parents[node].begin(), edges.parents[node].end(), [&](int32_t parent) { return seen_by[parent] != sorted; });
        }
        if (seen_by[node] != walk) continue;
        std::vector<int32_t> cycle(std::find(trail.begin(), trail.end(), node), trail.end());
        std::reverse(cycle.begin(), cycle.end());
        std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
        cycles.push_back(std::move(cycle));
    }
    return cycles;
}

}  // namespace orch::core
