// A mark is a bit of the database and a count of the route; the first mark since the notifier looked sets its latch. While Redis is away it does not look, so a commit costs a bit.
//
// Only workers that rest are of interest: where none does, no mark is made and the notifier sleeps. After a start of the server memory does not know who rests until they have called,
// so for a while every route is hinted at.
#include "shared/hints.hpp"

#include "core/hint.hpp"
#include "shared/clock.hpp"
#include "shared/hinting.hpp"
#include "shared/launching.hpp"
#include "shared/liveness.hpp"
#include "shared/names.hpp"

namespace orch::shared {

namespace {

constexpr int64_t unsure_us = 120'000'000;
constexpr int readers_when_unsure = 16;
constexpr uint32_t most_hints = 1 << 20;

bool is_open_now(const Database &database) noexcept
{
    return pg_atomic_read_u32(&const_cast<Database &>(database).phase) == static_cast<uint32_t>(Phase::open);
}

int resting_workers(const Database &database, int route, int64_t now) noexcept
{
    int count = 0;
    database.resting.each([&](int slot) { count += workers[slot].routes.test(route) && workers[slot].rests_until > now; });
    return count;
}

/// Takes the mark of one route; 0 readers where nobody is to be told.
void take_mark(Database &database, int slot, int64_t now, int max_readers, Hint &out) noexcept
{
    Route &route = routes[slot];
    const bool work = !route.ready.empty() || route.cursor != no_run;
    const int resting = work ? resting_workers(database, slot, now) : 0;
    const int readers = work && now < database.unsure_until ? std::max(resting, readers_when_unsure) : resting;
    out.readers = std::min<int>(static_cast<int>(route.hints), readers);
    if (out.readers > max_readers) {
        route.hints -= static_cast<uint32_t>(max_readers);
        out.readers = max_readers;
    } else {
        route.hints = 0;
        database.hinted.reset(slot);
    }
    std::memcpy(out.database, database.name, sizeof(out.database));
    std::memcpy(out.queue, route.queue, sizeof(out.queue));
    std::memcpy(out.handler, route.handler, sizeof(out.handler));
    std::memcpy(out.tenant, route.tenant, sizeof(out.tenant));
    out.route_id = route.route_id;
    out.ready = route.ready.count;
    out.at = now_us();
}

void mark_all(Database &database, Wakes &wakes) noexcept
{
    const auto mark = [&](int route) { hint_route(database, route, std::max<int64_t>(routes[route].ready.count, 1), wakes); };
    database.filled.each(mark);
    database.spilled.each(mark);
}

}  // namespace

// At commit, under the database's lock ----------------------------------------------

void hint_route(Database &database, int route, int64_t count, Wakes &wakes) noexcept
{
    const uint32_t notifier = pg_atomic_read_u32(&root->notifier);
    if (notifier == 0 || routes[route].is_sql || (!database.resting.any() && monotonic_us() >= database.unsure_until)) return;
    routes[route].hints = static_cast<uint32_t>(std::min<int64_t>(routes[route].hints + count, most_hints));
    database.hinted.set(route);
    if (is_open_now(database) && pg_atomic_exchange_u32(&root->hints_pending, 1) == 0) wakes.add(static_cast<int32_t>(notifier) - 1);
}

void hint_opened(Database &database, Wakes &wakes) noexcept
{
    database.unsure_until = monotonic_us() + unsure_us;
    mark_all(database, wakes);
}

void end_rest(Worker &worker) noexcept
{
    if (worker.rests_until == 0) return;
    worker.rests_until = 0;
    root->databases[worker.database].resting.reset(static_cast<int>(&worker - workers));
}

// Calls -------------------------------------------------------------------------------

Rest worker_rest(int slot, int64_t silence_us)
{
    Database &database = shared::database();
    const bool connected = notifier_status().state == NotifierState::connected;
    return with_database(database, [&] {
        Worker &worker = workers[slot];
        // A look and the promise to be hinted at under one lock: what becomes ready in between would be told to nobody.
        if (is_open_now(database) && may_find_work(database, worker)) return Rest{false, connected, now_us()};
        worker.rests_until = monotonic_us() + std::clamp<int64_t>(silence_us, 0, longest_rest_us);
        database.resting.set(slot);
        return Rest{true, connected, now_us()};
    });
}

std::vector<std::string> hint_streams(int slot, std::string_view database)
{
    struct {
        char bytes[serves_bytes];
        uint16_t length;
    } packed;
    with_database_shared(shared::database(), [&] {
        std::memcpy(packed.bytes, workers[slot].serves, serves_bytes);
        packed.length = workers[slot].serves_length;
    });
    const char *at = packed.bytes;
    const auto next = [&] {
        const auto length = static_cast<uint8_t>(*at);
        const std::string_view name(at + 1, length);
        at += 1 + length;
        return name;
    };
    std::vector<std::string_view> lists[2];
    for (auto &list : lists)
        for (int left = static_cast<unsigned char>(*at++); left > 0; left--) list.push_back(next());
    const std::string_view tenant = next();
    std::vector<std::string> streams;
    for (const std::string_view queue : lists[0])
        for (const std::string_view handler : lists[1]) streams.push_back(core::hint_stream(database, tenant, queue, handler));
    return streams;
}

// The notifier ------------------------------------------------------------------------

bool become_notifier()
{
    register_exit_cleanup();
    const bool mine_now = with_pool([] {
        if (root->notifier_status.pid != 0) return false;
        root->notifier_status.pid = MyProcPid;
        return true;
    });
    if (mine_now) pg_atomic_write_u32(&root->notifier, static_cast<uint32_t>(pg::my_process_number()) + 1);
    return mine_now;
}

void leave_notifier() noexcept
{
    if (!root || root->notifier_status.pid != MyProcPid) return;
    pg_atomic_write_u32(&root->notifier, 0);
    with_pool([] {
        root->notifier_status.pid = 0;
        root->notifier_status.state = NotifierState::off;
        root->notifier_status.since = now_us();
    });
    wake_launcher();
}

int notifier_pid() noexcept
{
    return with_pool([] { return root->notifier_status.pid; });
}

bool hints_begin() noexcept { return pg_atomic_exchange_u32(&root->hints_pending, 0) != 0; }

int take_hints(int max_routes, int max_readers, Hint *out, bool &more) noexcept
{
    int count = 0;
    more = false;
    for (Database &database : root->databases) {
        if (database.oid == InvalidOid) continue;  // looked at without its lock: whoever marks a route of a new one sets our latch
        with_database(database, [&] {
            if (!is_open_now(database)) return;
            const int64_t now = monotonic_us();
            database.hinted.each([&](int route) {
                if (count == max_routes || max_readers <= 0) {
                    more = true;
                    return;
                }
                Hint &hint = out[count];
                take_mark(database, route, now, max_readers, hint);
                more |= database.hinted.test(route);
                max_readers -= hint.readers;
                count += hint.readers > 0;
            });
        });
    }
    return count;
}

void hint_everything() noexcept
{
    Wakes wakes;
    for (Database &database : root->databases) {
        if (database.oid == InvalidOid) continue;
        with_database(database, [&] {
            if (is_open_now(database)) mark_all(database, wakes);
        });
    }
    wakes.flush();
}

void set_notifier_status(NotifierState state, std::string_view place, std::string_view reason) noexcept
{
    with_pool([&] {
        NotifierStatus &status = root->notifier_status;
        const auto put = [](auto &into, std::string_view text) {
            const size_t length = std::min(text.size(), sizeof(into) - 1);
            // Redis may say anything; a view shows it in every encoding.
            for (size_t i = 0; i < length; i++) into[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
            into[length] = '\0';
        };
        if (status.state != state) status.since = now_us();
        status.state = state;
        put(status.place, place);
        put(status.reason, reason);
    });
}

NotifierStatus notifier_status()
{
    return with_pool([] { return root->notifier_status; });
}

void set_database_name(const char *name) noexcept
{
    with_database(*mine, [&] { strlcpy(mine->name, name, sizeof(mine->name)); });
}

}  // namespace orch::shared
