// Routes in memory: one ready list for each tenant, queue and handler. A slot number is valid until the end of the transaction that asked for it.
#pragma once

#include "shared/types.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orch::shared {

struct RouteNames {
    uint32_t extension;  // dropped and created again, it numbers its rows anew
    std::string_view queue, handler, tenant;
    std::string_view circuit = {};  // empty where its tasks have none
    bool fallback = false;
};

/// The slot of a route of _orch.route, made on first use, pinned until the transaction ends. Slots with nothing in them are given to new routes, the longest unused first.
/// Raises 53400 when all 4,096 hold work.
int route_slot(int32_t route_id, const RouteNames &names);

/// The number of the route in a slot that this transaction has pinned.
int32_t route_id_of(int slot);

/// How many live workers serve the route in a slot that this transaction has pinned.
int workers_serving(int slot);

/// As memory compares names: up to 128 bytes as they are, longer ones as their first 96 bytes and a hash keyed by a secret of this server's start.
std::string folded_name(std::string_view name);

struct RouteStatus {
    int slot;
    int32_t route_id;
    std::string queue, handler, tenant;  // folded
    int64_t ready;                       // in memory
    bool spilled;                        // more of it in rows
    int64_t oldest_key;                  // the smallest sort key, INT64_MAX when empty
    int workers;                         // alive, serving it
};
std::vector<RouteStatus> route_status();

/// Roles of ":sql/ROLE" routes that have work: for the steward, which starts runners for them.
struct RunnerWanted {
    int slot;
    char role[129];
};
int runners_wanted(int max, RunnerWanted *out);

}  // namespace orch::shared
