#include "shared/meters.hpp"

#include "shared/feed.hpp"
#include "shared/names.hpp"
#include "shared/pending.hpp"
#include "shared/routes.hpp"

namespace orch::shared {

namespace {

constexpr size_t look_back = 8;

int64_t &number_at(Meters &meters, int32_t index) noexcept { return index < most_event_kinds ? meters.events[index] : meters.levels[index - most_event_kinds]; }

/// A like operation of this subtransaction, among its last: a batch of a thousand leaves a handful.
PendingOp &like(Op kind, int32_t a, int32_t b)
{
    database();
    std::vector<PendingOp> &ops = pending_ops();
    const int32_t level = GetCurrentTransactionNestLevel();
    for (size_t i = ops.size(), n = 0; i > 0 && n < look_back && ops[i - 1].level == level; i--, n++)
        if (PendingOp &op = ops[i - 1]; op.op == kind && op.a == a && op.b == b) return op;
    PendingOp &op = add(kind);
    op.a = a;
    op.b = b;
    return op;
}

void count(int32_t index, int64_t delta)
{
    if (delta != 0) like(Op::count, index, 0).x += delta;
}

std::optional<Level> level_of_run(char state)
{
    switch (state) {
    case 'q': return Level::runs_queued;
    case 'd': return Level::runs_scheduled;
    case 'r': return Level::runs_running;
    case 'p': return Level::runs_paused;
    case 'c': return Level::runs_cancelling;
    default: return std::nullopt;
    }
}

std::optional<Level> level_of_task(char state)
{
    if (state == 'd') return Level::tasks_scheduled;
    if (state == 'w') return Level::tasks_waiting;
    return std::nullopt;
}

/// Where the timings of a name are kept: places are given as names come and never taken back, or a counter would fall. 0 is for all who came too late.
int32_t place_of(bool workflow, std::string_view tenant, std::string_view name)
{
    // By tenant and name; leaked. A backend stays in its database, and the places in it stay, too.
    static std::unordered_map<std::string, int32_t> *known[2];
    auto *&places = known[workflow];
    if (!places) places = new std::unordered_map<std::string, int32_t>;
    std::string key(tenant);
    key += '\n';
    key += name;
    if (const auto found = places->find(key); found != places->end()) return found->second;

    const std::string folded_tenant = folded_name(tenant), folded = folded_name(name);
    Database &slot = database();
    const int32_t place = with_database(slot, [&]() -> int32_t {
        MeteredName *names = workflow ? slot.meters.workflows : slot.meters.queues;
        for (int32_t i = 1; i < metered_names; i++) {
            MeteredName &at = names[i];
            if (at.used && at.name == folded && at.tenant == folded_tenant) return i;
            if (at.used) continue;
            at.used = true;
            copy_name(at.name, folded);
            copy_name(at.tenant, folded_tenant);
            return i;
        }
        return 0;
    });
    if (places->size() < 4096) places->emplace(std::move(key), place);
    return place;
}

}  // namespace

void count_number(Database &database, const PendingOp &op) noexcept { number_at(database.meters, op.a) += op.x; }

void count_timing(Database &database, const PendingOp &op) noexcept
{
    Durations &durations = database.meters.durations[op.a];
    durations.buckets[op.b] += static_cast<uint64_t>(op.y);
    durations.sum_us += op.x;
}

void on_commit_count_events(int16_t kind, int64_t n)
{
    if (kind >= 0 && kind < most_event_kinds) count(kind, n);
}

void on_commit_level(Level level, int64_t delta) { count(most_event_kinds + static_cast<int32_t>(level), delta); }

void on_commit_run_state(char from, char to, int64_t n)
{
    if (const auto level = level_of_run(from)) on_commit_level(*level, -n);
    if (const auto level = level_of_run(to)) on_commit_level(*level, n);
}

void on_commit_task_state(char from, char to, int64_t n)
{
    if (const auto level = level_of_task(from)) on_commit_level(*level, -n);
    if (const auto level = level_of_task(to)) on_commit_level(*level, n);
}

void on_commit_timing(Timing timing, std::string_view tenant, std::string_view name, int64_t us)
{
    us = std::max<int64_t>(us, 0);
    const auto bucket = static_cast<int32_t>(std::lower_bound(timing_bounds.begin(), timing_bounds.end(), us) - timing_bounds.begin());
    PendingOp &op = like(Op::timing, static_cast<int32_t>(timing) * metered_names + place_of(timing == Timing::run, tenant, name), bucket);
    op.x += us;
    op.y++;
}

void set_level(Level level, int64_t value)
{
    Database &slot = database();
    with_database(slot, [&] { slot.meters.levels[static_cast<size_t>(level)] = value; });
}

MeterStatus meter_status()
{
    Database &slot = database();
    const auto copy = std::make_unique<Meters>();
    MeterStatus status{};
    with_database_shared(slot, [&] {
        *copy = slot.meters;
        status.timers = slot.timers.count;
        status.advances = slot.advances.count;
        status.running = slot.lease_count;
        slot.routes.each([&](int route) {
            if (routes[route].route_id > 0) status.ready += routes[route].ready.count;
        });
    });
    for (int i = 0; i < level_count; i++) status.levels[i] = copy->levels[i];
    for (int kind = 0; kind < most_event_kinds; kind++) status.events.emplace_back(static_cast<int16_t>(kind), copy->events[kind]);
    for (int t = 0; t < timing_count; t++) {
        const MeteredName *names = static_cast<Timing>(t) == Timing::run ? copy->workflows : copy->queues;
        for (int i = 0; i < metered_names; i++) {
            if (i > 0 && !names[i].used) continue;
            const Durations &durations = copy->durations[t * metered_names + i];
            TimingStatus &out = status.timings.emplace_back(TimingStatus{static_cast<Timing>(t), names[i].tenant, names[i].name, {}, durations.sum_us});
            std::copy(std::begin(durations.buckets), std::end(durations.buckets), out.buckets.begin());
        }
    }
    status.feed_pending = feed_pending();
    return status;
}

}  // namespace orch::shared
