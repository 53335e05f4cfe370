// A token bucket as one number: the moment at which it will be full again (the generic cell rate algorithm). A bucket that is full is no bucket at all.
#pragma once

#include <algorithm>
#include <cstdint>

namespace orch::core {

/// How fast a bucket fills, and how much it holds. No interval: no limit.
struct Rate {
    int64_t interval_us = 0;  // until one more is in it
    int64_t capacity = 0;

    /// So many a minute, and at once as many as come in `burst_s`, at least one.
    static constexpr Rate of(int per_minute, int burst_s) noexcept
    {
        if (per_minute <= 0) return {};
        // Rounded up, so that no minute has one too many.
        return {(60'000'000 + per_minute - 1) / per_minute, std::max<int64_t>(1, int64_t{per_minute} * burst_s / 60)};
    }
};

struct Taken {
    bool granted;
    int64_t remaining;
    int64_t full_us;   // until it is full again
    int64_t retry_us;  // until the next one is there; 0 where one is
};

/// Takes one out of the bucket that is full again at `full_at`, if there is one.
constexpr Taken take_one(const Rate &rate, int64_t &full_at, int64_t now) noexcept
{
    if (rate.interval_us == 0) return {true, 0, 0, 0};
    const int64_t size = rate.capacity * rate.interval_us;
    // What was taken under a larger capacity is no debt.
    const int64_t missing = std::clamp<int64_t>(full_at - now, 0, size);
    const bool granted = missing + rate.interval_us <= size;
    const int64_t left = granted ? missing + rate.interval_us : missing;
    full_at = now + left;
    const int64_t remaining = (size - left) / rate.interval_us;
    return {granted, remaining, left, remaining > 0 ? 0 : left + rate.interval_us - size};
}

}  // namespace orch::core
