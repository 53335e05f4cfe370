// Time for the whole engine: one place, so that tests can move it.
#pragma once

#include <cstdint>

namespace orch::shared {

/// Wall time as a TimestampTz: microseconds since 2000-01-01 UTC, plus what tests advanced it by. Works without shared memory too.
int64_t now_us() noexcept;

/// The same as milliseconds since 1970-01-01, as run ids carry them.
int64_t unix_ms() noexcept;

/// A clock that no administrator can set back: what lease deadlines are measured by. Moved by the same offset.
int64_t monotonic_us() noexcept;

/// Moves both clocks forward in every process and wakes all stewards. Raises 55000 unless orch.test_clock is on.
void advance_clock(int64_t us);

/// Moves the wall clock alone, forward or back, and wakes nobody: what an administrator or NTP does. Raises 55000 like advance_clock.
void jump_wall_clock(int64_t us);

}  // namespace orch::shared
