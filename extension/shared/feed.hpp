// Positions of events: taken late in a transaction, under a floor that readers respect, so that a tail sees every event once and in order.
#pragma once

#include <cstdint>

namespace orch::shared {

/// The first of n consecutive positions. The floor is cleared when the outermost transaction ends.
int64_t take_positions(int n);

/// Every event with a smaller position is committed and visible to a snapshot taken AFTER this call, or never will be.
int64_t safe_position();

/// How many positions were given out that are not safe to read.
int64_t feed_pending();

/// Rebuild: positions go on above `at_least` (max(pos) plus a gap). Never backwards. Wakes wait_until_seeded.
void seed_positions(int64_t at_least);
bool positions_seeded();
bool wait_until_seeded(int64_t timeout_ms);

// await_events: feed_wait_begin(); while (!feed_news(after)) WaitLatch(timeout = feed_wait_ms(after)); feed_wait_end();

/// Raises 53400 when 256 tails of the cluster wait already.
void feed_wait_begin();
/// Whether there is something safe above `after`. Positions may belong to rolled-back transactions: a tail that finds no row goes on from safe_position() - 1.
bool feed_news(int64_t after);
/// How long to sleep: -1 until the latch is set; 100 while something is in flight, or this process returned less than 100 ms ago.
int64_t feed_wait_ms(int64_t after);
void feed_wait_end() noexcept;

}  // namespace orch::shared
