#include "shared/run_ids.hpp"

#include "shared/clock.hpp"
#include "shared/pending.hpp"
#include "shared/waiting.hpp"

namespace orch::shared {

namespace {

constexpr uint64_t counter_bits = 12;

// How much of the last partition's time is left to a clock that is beyond it: 2^30 ids are four and a half minutes of milliseconds.
constexpr uint64_t reserve_at_end = uint64_t{1} << 30;

bool has_partition_for_now(Database &slot)
{
    const auto first = static_cast<int64_t>(pg_atomic_read_u64(&slot.first_ms));
    const auto end = static_cast<int64_t>(pg_atomic_read_u64(&slot.end_ms));
    return end > first && unix_ms() < end;
}

}  // namespace

RunId next_run_ids(int count)
{
    Database &slot = database();
    const uint64_t first = pg_atomic_read_u64(&slot.first_ms) << counter_bits;
    const uint64_t end = pg_atomic_read_u64(&slot.end_ms) << counter_bits;
    if (end <= first)
        throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "there is no partition for runs yet", "",
                        "The steward makes partitions: look at orch.health."};

    uint64_t now = static_cast<uint64_t>(unix_ms()) << counter_bits;
    const uint64_t latest = end - std::min(end - first, reserve_at_end);
    now = std::clamp(now, first, std::max(first, latest));

    const auto wanted = static_cast<uint64_t>(count);
    uint64_t last = pg_atomic_read_u64(&slot.last_id);
    uint64_t id;
    do {
        id = std::max(now, last + 1);
        if (id < first || id + wanted > end)
            throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the partitions that exist have no ids left", "",
                            "The steward makes partitions: look at orch.health."};
    } while (!pg_atomic_compare_exchange_u64(&slot.last_id, &last, id + wanted - 1));

    uint64_t random = 0;
    if (!pg_strong_random(&random, sizeof(random))) throw pg::error{ERRCODE_INTERNAL_ERROR, "could not generate random numbers", "", ""};
    return core::compose_uuid_v7(id >> counter_bits, static_cast<uint16_t>(id & ((1 << counter_bits) - 1)), random);
}

RunId run_id_at(const RunId &first, int i) noexcept { return core::uuid_in_range(first, static_cast<uint64_t>(i)); }

void partitions_set(int64_t first_ms, int64_t end_ms)
{
    Database &slot = database();
    pg_atomic_write_u64(&slot.first_ms, static_cast<uint64_t>(first_ms));
    pg_atomic_write_u64(&slot.end_ms, static_cast<uint64_t>(end_ms));
    pg::call_pg([&] { ConditionVariableBroadcast(&slot.changed); });
}

void on_commit_partitions(int64_t first_ms, int64_t end_ms)
{
    database();
    PendingOp &op = add(Op::partitions);
    op.x = first_ms;
    op.y = end_ms;
}

PartitionBounds partitions()
{
    Database &slot = database();
    return {static_cast<int64_t>(pg_atomic_read_u64(&slot.first_ms)), static_cast<int64_t>(pg_atomic_read_u64(&slot.end_ms))};
}

bool partitions_ready() { return has_partition_for_now(database()); }

void partitions_request()
{
    pg_atomic_write_u32(&database().partitions_wanted, 1);
    wake_steward();
}

bool wait_for_partitions(int64_t timeout_ms)
{
    if (partitions_ready()) return true;
    partitions_request();
    return wait_until(has_partition_for_now, timeout_ms);
}

bool take_partitions_request() { return pg_atomic_exchange_u32(&database().partitions_wanted, 0) != 0; }

}  // namespace orch::shared
