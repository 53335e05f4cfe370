// Ids of runs: UUID v7, strictly increasing within a database, never outside the partitions that exist.
#pragma once

#include "shared/types.hpp"

namespace orch::shared {

/// The first of `count` consecutive ids, all with the same random bits. Never blocks, never runs backwards: when the clock is behind the last id it counts on from there,
/// and before or after the existing partitions it stays inside them. Raises 55000 when there are no partitions, or none of their ids is left.
RunId next_run_ids(int count);
RunId run_id_at(const RunId &first, int i) noexcept;

/// The partitions that exist: [first_ms, end_ms) in unix milliseconds. partitions_set acts at once, on_commit_partitions when this transaction's leaves are visible.
void partitions_set(int64_t first_ms, int64_t end_ms);
void on_commit_partitions(int64_t first_ms, int64_t end_ms);
struct PartitionBounds {
    int64_t first_ms, end_ms;
};
PartitionBounds partitions();

/// Whether there is a partition for this moment (or, with a clock out of bounds, room to clamp into).
bool partitions_ready();

/// Asks the steward to make partitions, at once: it does so outside this transaction.
void partitions_request();
/// partitions_request, then sleeps interruptibly until they are there. False at the timeout.
bool wait_for_partitions(int64_t timeout_ms);
/// The steward's: whether somebody asked since the last time; clears the request.
bool take_partitions_request();

}  // namespace orch::shared
