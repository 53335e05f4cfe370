// Routes: slots found by the id of their row, made when work or a worker first needs them.
#include "shared/routes.hpp"

#include "shared/clock.hpp"
#include "shared/liveness.hpp"
#include "shared/names.hpp"
#include "shared/pending.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace orch::shared {

namespace {

constexpr size_t kept_bytes = 96;  // of a folded name: 32 digits of a hash follow

// What this backend has seen: looked at again under the lock, since a slot may have been given to another route. Leaked.
std::unordered_map<int32_t, int> *seen;

struct RouteId {
    uint32_t extension;
    int32_t number;
};

bool has_id(int slot, const RouteId &id) noexcept { return routes[slot].route_id == id.number && routes[slot].extension == id.extension; }

bool is_route(const Database &database, int slot, const RouteId &id) noexcept { return database.routes.test(slot) && has_id(slot, id); }

int find(const Database &database, const RouteId &id) noexcept
{
    return database.routes.find_from(0, [&](int slot) { return has_id(slot, id); });
}

void forget_route(Database &database, int slot) noexcept
{
    database.routes.reset(slot);
    database.blocked.reset(slot);
    database.hinted.reset(slot);
    database.workers.each([&](int worker) { workers[worker].routes.reset(slot); });
}

/// A free slot, or the longest unused one of this database; no_slot when all hold something.
int free_slot(Database &database) noexcept
{
    const Index fresh = with_pool([] { return root->routes.pop(routes); });
    if (fresh != nil) return static_cast<int>(fresh);
    int oldest = no_slot;
    database.routes.each([&](int slot) {
        if (!routes[slot].in_use() && (oldest == no_slot || routes[slot].last_used < routes[oldest].last_used)) oldest = slot;
    });
    if (oldest != no_slot) forget_route(database, oldest);
    return oldest;
}

int pin_found(Database &database, const RouteId &id, int guess) noexcept
{
    const int slot = guess != no_slot && is_route(database, guess, id) ? guess : find(database, id);
    if (slot == no_slot) return no_slot;
    routes[slot].last_used = monotonic_us();
    pin(slot);
    return slot;
}

int guess_of(int32_t route_id)
{
    if (!seen) seen = new std::unordered_map<int32_t, int>;
    const auto found = seen->find(route_id);
    return found == seen->end() ? no_slot : found->second;
}

int known_slot(const RouteId &id)
{
    Database &database = shared::database();
    const int guess = guess_of(id.number);
    if (guess != no_slot && pinned(guess) && has_id(guess, id)) return guess;
    pin_room();
    const int slot = with_database(database, [&] { return pin_found(database, id, guess); });
    if (slot != no_slot) (*seen)[id.number] = slot;
    return slot;
}

}  // namespace

std::string folded_name(std::string_view name)
{
    if (name.size() <= name_bytes) return std::string(name);
    std::string folded(name.substr(0, kept_bytes));
    constexpr char digits[] = "0123456789abcdef";
    for (const uint64_t seed : root->name_seed) {
        const uint64_t hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(name.data()), static_cast<int>(name.size()), seed);
        for (int shift = 60; shift >= 0; shift -= 4) folded += digits[hash >> shift & 15];
    }
    return folded;
}

void copy_name(char (&into)[name_bytes + 1], std::string_view folded) noexcept
{
    std::memcpy(into, folded.data(), folded.size());
    into[folded.size()] = '\0';
}

int route_slot(int32_t route_id, const RouteNames &of)
{
    const RouteId id{of.extension, route_id};
    const int known = known_slot(id);
    if (known != no_slot) return known;

    Database &database = shared::database();
    const std::string names[] = {folded_name(of.queue), folded_name(of.handler), folded_name(of.tenant), folded_name(of.circuit)};
    (*seen)[route_id] = no_slot;  // room, before the lock
    const int slot = with_database(database, [&] {
        const int found = pin_found(database, id, no_slot);  // another backend was quicker
        if (found != no_slot) return found;
        const int fresh = free_slot(database);
        if (fresh == no_slot) return no_slot;
        Route &route = routes[fresh];
        route.database = number_of(database);
        route.refilling = false;
        route.fallback = of.fallback;
        route.circuit = names[3].empty() ? no_slot : circuit_for(database, names[2], names[3]);
        route.circuit_left_out = !names[3].empty() && route.circuit == no_slot;
        route.route_id = route_id;
        route.extension = of.extension;
        route.pins = 0;
        route.last_used = monotonic_us();
        route.ready = {};
        route.cursor = no_run;
        route.hints = 0;
        copy_name(route.queue, names[0]);
        copy_name(route.handler, names[1]);
        copy_name(route.tenant, names[2]);
        route.is_sql = std::string_view(route.handler).starts_with(":sql/");
        database.routes.set(fresh);
        database.blocked.put(fresh, route.circuit != no_slot && !database.circuits[route.circuit].breaker.admits());
        database.workers.each([&](int worker) { workers[worker].routes.put(fresh, serves(workers[worker], route)); });
        pin(fresh);
        return fresh;
    });
    if (slot == no_slot)
        throw pg::error{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many routes hold work: the limit is " + std::to_string(max_routes),
                        "A route is a tenant, a queue and a handler, and a circuit where its tasks have one.",
                        "Use fewer queues and handlers, or wait until some of them are empty."};
    (*seen)[route_id] = slot;
    return slot;
}

void forget_routes(Database &database) noexcept
{
    database.routes.each([&](int slot) {
        if (routes[slot].pins > 0) return;
        forget_route(database, slot);
        with_pool([&] { root->routes.push(routes, static_cast<Index>(slot)); });
    });
}

int32_t route_id_of(int slot)
{
    return with_database_shared(database(), [&] { return routes[slot].route_id; });
}

std::vector<RouteStatus> route_status()
{
    Database &database = shared::database();
    // Memory first, since nothing may be allocated under the lock; copied by slot, read as text afterwards.
    struct Copy {
        int slot;
        int32_t route_id;
        char names[3][name_bytes + 1];
        int64_t ready, oldest_key;
        bool spilled;
        int workers;
    };
    std::vector<Copy> copies;
    for (;;) {
        copies.clear();
        copies.reserve(static_cast<size_t>(with_database_shared(database, [&] { return database.routes.count(); })) + 8);
        const bool done = with_database_shared(database, [&] {
            if (static_cast<size_t>(database.routes.count()) > copies.capacity()) return false;
            const int64_t now = monotonic_us();
            database.routes.each([&](int slot) {
                const Route &route = routes[slot];
                Copy &copy = copies.emplace_back();
                copy.slot = slot;
                copy.route_id = route.route_id;
                std::memcpy(copy.names[0], route.queue, sizeof(route.queue));
                std::memcpy(copy.names[1], route.handler, sizeof(route.handler));
                std::memcpy(copy.names[2], route.tenant, sizeof(route.tenant));
                copy.ready = route.ready.count;
                copy.oldest_key = route.ready.smallest(entries);
                copy.spilled = route.cursor != no_run || route.refilling;
                copy.workers = live_workers(database, slot, now);
            });
            return true;
        });
        if (done) break;
    }
    std::vector<RouteStatus> out;
    out.reserve(copies.size());
    for (const Copy &copy : copies)
        out.push_back({copy.slot, copy.route_id, copy.names[0], copy.names[1], copy.names[2], copy.ready, copy.spilled, copy.oldest_key, copy.workers});
    return out;
}

int workers_serving(int slot)
{
    Database &database = shared::database();
    return with_database_shared(database, [&] { return live_workers(database, slot, monotonic_us()); });
}

int runners_wanted(int max, RunnerWanted *out)
{
    Database &database = shared::database();
    return with_database_shared(database, [&] {
        int count = 0;
        database.routes.each([&](int slot) {
            const Route &route = routes[slot];
            if (count >= max || !route.is_sql || (route.ready.empty() && route.cursor == no_run)) return;
            RunnerWanted &wanted = out[count++];
            wanted.slot = slot;
            copy_name(wanted.role, std::string_view(route.handler).substr(5));
        });
        return count;
    });
}

}  // namespace orch::shared
