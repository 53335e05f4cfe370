// Which routes wait for their circuit is kept as a bitmap beside those of filled routes, so that a lease pays one AND a word for it, and the rest is done where a circuit changes.
//
// States live in memory alone and are closed after a start: a circuit that is wrongly closed opens again by a few failures.
#include "shared/circuits.hpp"

#include "shared/clock.hpp"
#include "shared/leases.hpp"
#include "shared/names.hpp"
#include "shared/pending.hpp"
#include "shared/routes.hpp"

namespace orch::shared {

namespace {

using core::CircuitState;

bool has_work(const Route &route) noexcept { return !route.ready.empty() || route.cursor != no_run; }

template <class Visit>
void each_route(Database &database, int circuit, Visit visit) noexcept
{
    database.routes.each([&](int slot) {
        if (routes[slot].circuit == circuit) visit(slot);
    });
}

int find_circuit(const Database &database, std::string_view tenant, std::string_view name) noexcept
{
    for (int i = 0; i < max_circuits; i++)
        if (const CircuitSlot &c = database.circuits[i]; c.used && tenant == c.tenant && name == c.name) return i;
    return no_slot;
}

/// One that nothing is known of and no route in memory has, the longest untouched first.
int free_circuit(Database &database) noexcept
{
    bool wanted[max_circuits] = {};
    database.routes.each([&](int slot) {
        if (routes[slot].circuit != no_slot) wanted[routes[slot].circuit] = true;
    });
    int oldest = no_slot;
    for (int i = 0; i < max_circuits; i++) {
        const CircuitSlot &c = database.circuits[i];
        if (!c.used) return i;
        if (wanted[i] || c.breaker.state() != CircuitState::closed || c.breaker.failures_in_row() > 0) continue;
        if (oldest == no_slot || c.last_used < database.circuits[oldest].last_used) oldest = i;
    }
    return oldest;
}

/// After any change of its breaker: which routes wait, who is woken, when it is looked at again.
void circuit_changed(Database &database, int circuit, Wakes &wakes) noexcept
{
    CircuitSlot &c = database.circuits[circuit];
    const bool admits = c.breaker.admits();
    int probes_wanted = 1;
    each_route(database, circuit, [&](int slot) {
        database.blocked.put(slot, !admits);
        const Route &route = routes[slot];
        if (!has_work(route)) return;
        if (c.breaker.state() == CircuitState::closed) wake_for_route(database, slot, std::max<int64_t>(route.ready.count, 1), wakes);
        else if (!admits) wake_for_route(database, slot, 0, wakes);
        else if (probes_wanted > 0) probes_wanted -= wake_for_route(database, slot, 1, wakes);
    });
    if (const int64_t due = c.breaker.half_open_at(); due != INT64_MAX) {
        database.circuits_due = std::min(database.circuits_due, due);
        note_deadline(database, due, wakes);
    }
}

bool record(core::Circuit &breaker, const PendingOp &op, int64_t now) noexcept
{
    const core::CircuitPolicy policy{op.c & 0xffff, op.c >> 16, op.y};
    return breaker.record(op.flag ? core::CircuitOutcome::failure : core::CircuitOutcome::success, static_cast<uint32_t>(op.b), policy, now);
}

Index lease_of_task(const Database &database, const TaskRef &task) noexcept
{
    return database.lease_index.find(leases, hash_of(task), [&](const Lease &lease) { return lease.task == task && lease.state == LeasePhase::held; });
}

}  // namespace

// Effects -----------------------------------------------------------------------------

int circuit_for(Database &database, std::string_view tenant, std::string_view name) noexcept
{
    int slot = find_circuit(database, tenant, name);
    if (slot == no_slot) {
        slot = free_circuit(database);
        if (slot == no_slot) return no_slot;
        CircuitSlot &c = database.circuits[slot];
        c.breaker.close();
        c.used = true;
        c.opened_wall = 0;
        copy_name(c.name, name);
        copy_name(c.tenant, tenant);
    }
    database.circuits[slot].last_used = monotonic_us();
    return slot;
}

void close_circuits(Database &database) noexcept
{
    for (CircuitSlot &c : database.circuits) {
        c.breaker.close();
        c.opened_wall = 0;
    }
    database.circuits_due = INT64_MAX;
    database.blocked.clear();
}

void tick_circuits(Database &database, int64_t now, Wakes &wakes) noexcept
{
    if (now < database.circuits_due) return;
    database.circuits_due = INT64_MAX;
    for (int i = 0; i < max_circuits; i++) {
        CircuitSlot &c = database.circuits[i];
        if (!c.used) continue;
        if (c.breaker.tick(now)) circuit_changed(database, i, wakes);
        database.circuits_due = std::min(database.circuits_due, c.breaker.half_open_at());
    }
}

void enter_circuit(Database &database, int circuit, const TaskRef &task) noexcept
{
    const uint32_t probe = database.circuits[circuit].breaker.enter();
    if (probe == 0) return;
    each_route(database, circuit, [&](int slot) { database.blocked.set(slot); });
    PendingOp &op = add(Op::probe);
    op.a = circuit;
    op.b = static_cast<int32_t>(probe);
    op.task = task;
}

void leave_circuit(Database &database, int circuit, uint32_t probe, Wakes &wakes) noexcept
{
    core::Circuit &breaker = database.circuits[circuit].breaker;
    if (!breaker.is_probe(probe)) return;
    breaker.leave(probe);
    circuit_changed(database, circuit, wakes);
}

void count_outcome(Database &database, const PendingOp &op, Wakes &wakes) noexcept
{
    const int circuit = routes[op.a].circuit;
    if (circuit == no_slot) return;
    CircuitSlot &c = database.circuits[circuit];
    c.last_used = monotonic_us();
    if (!record(c.breaker, op, c.last_used)) return;
    const bool opened = c.breaker.state() == CircuitState::open;
    c.opened_wall = opened ? now_us() : 0;
    c.half_open_wall = opened ? c.opened_wall + op.y : 0;
    circuit_changed(database, circuit, wakes);
}

// A worker that settles and leases in one exchange is not to start what the failure that it just told of will hold back.
void add_own_blocked(const Database &database, Bitmap<max_routes> &blocked) noexcept
{
    core::Circuit own[max_circuits];
    bool told[max_circuits] = {};
    for (const PendingOp &op : pending_ops()) {
        const int circuit = op.op == Op::outcome ? routes[op.a].circuit : no_slot;
        if (circuit == no_slot) continue;
        if (!std::exchange(told[circuit], true)) own[circuit] = database.circuits[circuit].breaker;
        record(own[circuit], op, monotonic_us());
    }
    database.routes.each([&](int slot) {
        if (const int circuit = routes[slot].circuit; circuit != no_slot && told[circuit] && !own[circuit].admits()) blocked.set(slot);
    });
}

bool falls_back(const Database &database) noexcept
{
    for (int w = 0; w < database.blocked.words; w++)
        for (uint64_t word = database.blocked.bits[w] & (database.filled.bits[w] | database.spilled.bits[w]); word; word &= word - 1)
            if (const Route &route = routes[w * 64 + std::countr_zero(word)]; route.fallback && !route.refilling) return true;
    return false;
}

// Calls -------------------------------------------------------------------------------

void on_commit_outcome(const TaskRef &task, int route_slot, core::CircuitOutcome outcome, const core::CircuitPolicy &policy)
{
    if (outcome == core::CircuitOutcome::neither) return;
    Database &slot = database();
    make_room(1);
    const uint32_t probe = with_database_shared(slot, [&] {
        const Index lease = lease_of_task(slot, task);
        return lease == nil ? 0 : leases[lease].probe;
    });
    PendingOp &op = add(Op::outcome);
    op.a = route_slot;
    op.b = static_cast<int32_t>(probe);
    op.c = policy.failures | policy.successes << 16;
    op.y = policy.open_us;
    op.flag = outcome == core::CircuitOutcome::failure;
}

int route_to_fall_back()
{
    static int from = 0;
    Database &slot = database();
    pin_room();
    return with_database(slot, [&] {
        const int route = slot.blocked.find_from(from, [](int i) { return routes[i].fallback && !routes[i].refilling && has_work(routes[i]); });
        if (route == no_slot) return no_slot;
        from = (route + 1) % max_routes;
        pin(route);
        return route;
    });
}

bool reset_circuit(std::string_view tenant, std::string_view name, bool &was_closed)
{
    Database &slot = database();
    const std::string folded_tenant = folded_name(tenant), folded = folded_name(name);
    Wakes wakes;
    const bool known = with_database(slot, [&] {
        const int circuit = find_circuit(slot, folded_tenant, folded);
        if (circuit == no_slot) return false;
        CircuitSlot &c = slot.circuits[circuit];
        was_closed = c.breaker.state() == CircuitState::closed;
        c.breaker.close();
        c.opened_wall = 0;
        circuit_changed(slot, circuit, wakes);
        return true;
    });
    wakes.flush();
    return known;
}

std::vector<CircuitStatus> circuit_status()
{
    Database &slot = database();
    std::vector<CircuitSlot> copies(max_circuits);
    int64_t monotonic = 0;
    with_database_shared(slot, [&] {
        monotonic = monotonic_us();
        std::copy(std::begin(slot.circuits), std::end(slot.circuits), copies.begin());
    });
    std::vector<CircuitStatus> out;
    for (CircuitSlot &c : copies) {
        if (!c.used) continue;
        // Whoever asks a moment before the steward has looked is told what is so.
        c.breaker.tick(monotonic);
        out.push_back({c.name, c.tenant, c.breaker.state(), c.breaker.failures_in_row(), c.breaker.probing(), c.opened_wall,
                       c.breaker.state() == CircuitState::open ? c.half_open_wall : 0});
    }
    return out;
}

int64_t circuits_left_out()
{
    Database &slot = database();
    return with_database_shared(slot, [&] {
        int64_t count = 0;
        slot.routes.each([&](int route) { count += routes[route].circuit_left_out && routes[route].in_use(); });
        return count;
    });
}

}  // namespace orch::shared
