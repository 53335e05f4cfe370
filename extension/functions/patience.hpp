// How long a procedure that sleeps still has.
#pragma once

#include "pg/sleep.hpp"
#include "shared/clock.hpp"

namespace orch::functions {

inline constexpr int64 longest_wait_us = INT64CONST(366) * USECS_PER_DAY;  // nobody waits that long, and no sum overflows

/// What is left of a timeout; none (-1) where it is null.
class Patience {
public:
    explicit Patience(std::optional<int64> us)
    {
        if (us) until_ = shared::monotonic_us() + std::clamp<int64>(*us, 0, longest_wait_us);
    }
    int64 left_ms() const { return until_ ? std::max<int64>((*until_ - shared::monotonic_us() + 999) / 1000, 0) : -1; }
    bool over() const { return left_ms() == 0; }
    /// The same, but no longer than `most_ms` (below 0: no bound).
    int64 left_ms(int64 most_ms) const
    {
        const int64 left = left_ms();
        if (most_ms < 0) return left;
        return left < 0 ? most_ms : std::min(left, most_ms);
    }

private:
    std::optional<int64> until_;
};

}  // namespace orch::functions
