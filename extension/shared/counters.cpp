// Counters of runs: a block a run in the buddy arena, found by the run's id.
#include "shared/counters.hpp"

#include "core/states.hpp"
#include "shared/pending.hpp"

#include <cstddef>

namespace orch::shared {

namespace {

size_t bytes_for(int32_t joins) noexcept { return offsetof(CountersBlock, joins) + static_cast<size_t>(joins) * sizeof(JoinSlot); }

JoinSlot *joins_of(Index block) noexcept { return reinterpret_cast<JoinSlot *>(arena + size_t{block} * BuddyArena::unit + offsetof(CountersBlock, joins)); }

Index find(const Database &database, const RunId &run) noexcept
{
    return database.counters_index.find(counter_blocks(), hash_id(run), [&](const CountersBlock &block) { return block.run == run; });
}

void publish(const RunId &run, int32_t open, int32_t joins, std::span<const JoinCount> counts)
{
    Database &database = shared::database();
    make_room(1);
    const Index index = with_pool([&] { return root->counters.allocate(arena, arena_marks, bytes_for(joins)); });
    if (index == nil) return;
    // Nobody else knows the block yet.
    CountersBlock &block = counter_blocks()[index];
    block.run = run;
    block.open = open;
    block.join_count = joins;
    block.database = number_of(database);
    JoinSlot *slots = joins_of(index);
    for (int32_t i = 0; i < joins; i++) {
        const JoinCount count = counts.empty() ? JoinCount{} : counts[static_cast<size_t>(i)];
        slots[i] = {count.succeeded, count.failed, count.skipped, count.upstream_failed & 0x7fffffffu, count.fired};
    }
    with_database(database, [&] {
        drop_counters(database, run);
        database.counters_index.insert(counter_blocks(), index, hash_id(run));
    });
    add(Op::counters_made).task.run = run;
}

void count(JoinSlot &slot, char outcome) noexcept
{
    if (outcome == core::task_state::succeeded) slot.succeeded++;
    else if (outcome == core::task_state::skipped) slot.skipped++;
    else if (outcome == core::task_state::upstream_failed) slot.upstream_failed++;
    else slot.failed++;
}

bool decided(const JoinSlot &slot, const JoinChange &change) noexcept
{
    const core::Counts counts{change.parents, static_cast<int32_t>(slot.succeeded), static_cast<int32_t>(slot.failed), static_cast<int32_t>(slot.skipped),
                              static_cast<int32_t>(slot.upstream_failed)};
    return core::evaluate(change.rule, change.at_least, counts) != core::Outcome::wait;
}

}  // namespace

// Effects -----------------------------------------------------------------------------

void drop_counters(Database &database, const RunId &run) noexcept
{
    const Index index = find(database, run);
    if (index == nil) return;
    database.counters_index.remove(counter_blocks(), index, hash_id(run));
    with_pool([&] { root->counters.free(arena, arena_marks, index); });
}

void lower_counters(Database &database, const PendingOp &op, const JoinChange *changes, Wakes &wakes) noexcept
{
    const RunId &run = op.task.run;
    Index spare = next_spare();
    const auto advance = [&](int32_t task_no) {
        if (spare == nil) spare = next_spare();
        queue_advance(database, spare, {run, task_no}, wakes);
    };
    const Index index = find(database, run);
    if (index == nil) {
        if (!op.flag) advance(-1);
    } else {
        CountersBlock &block = counter_blocks()[index];
        JoinSlot *slots = joins_of(index);
        block.open -= op.a;
        for (int32_t i = 0; i < op.b; i++) {
            const JoinChange &change = changes[i];
            if (change.join_no < 0 || change.join_no >= block.join_count) continue;
            JoinSlot &slot = slots[change.join_no];
            count(slot, change.outcome_state);
            if (slot.fired || !decided(slot, change)) continue;
            slot.fired = 1;
            // Otherwise whoever counts it has seen to the child, or queues a look at the whole run.
            if (!change.decided_here) advance(change.child_task_no);
        }
        if (block.open <= 0 && !op.flag) advance(-1);
    }
    if (spare != nil) keep_spare(spare);
}

// Calls -------------------------------------------------------------------------------

void on_commit_counters(const RunId &run, int32_t open, int32_t joins) { publish(run, open, joins, {}); }

void on_commit_counters(const RunId &run, int32_t open, std::span<const JoinCount> joins) { publish(run, open, static_cast<int32_t>(joins.size()), joins); }

bool counters_of(const RunId &run, int32_t join_no, JoinCount &join, int32_t &open)
{
    Database &database = shared::database();
    return with_database_shared(database, [&] {
        const Index index = find(database, run);
        if (index == nil) return false;
        const CountersBlock &block = counter_blocks()[index];
        open = block.open;
        if (join_no < 0) return true;
        if (join_no >= block.join_count) return false;
        const JoinSlot &slot = joins_of(index)[join_no];
        join = {slot.succeeded, slot.failed, slot.skipped, slot.upstream_failed, slot.fired != 0};
        return true;
    });
}

void on_commit_lower(const RunId &run, int32_t settled, std::span<const JoinChange> changes, bool run_decided_here)
{
    // Every change may decide a join, and the run may be over; without room for an entry the sweep flag stands in.
    reserve_spares(static_cast<int>(changes.size()) + 1, Claim::advance);
    make_room(1);
    std::vector<JoinChange> &kept = pending_changes();
    const auto begin = static_cast<int32_t>(kept.size());
    kept.insert(kept.end(), changes.begin(), changes.end());
    PendingOp &op = add(Op::lower);
    op.task.run = run;
    op.a = settled;
    op.b = static_cast<int32_t>(changes.size());
    op.c = begin;
    op.flag = run_decided_here;
}

}  // namespace orch::shared
