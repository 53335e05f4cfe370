// A circuit breaker: after failures in a row nobody is let through for a while, then one at a time, until enough of them have succeeded. Plain data, for shared memory.
#pragma once

#include <cstdint>

namespace orch::core {

struct CircuitPolicy {
    int32_t failures = 5;          // in a row: opens
    int32_t successes = 2;         // in a row, while half-open: closes
    int64_t open_us = 60'000'000;  // before it half-opens
};

enum class CircuitState : uint8_t { closed, open, half_open };

/// What an attempt tells of the other side. An invalid input, say, tells nothing.
enum class CircuitOutcome : uint8_t { success, failure, neither };

class Circuit {
public:
    CircuitState state() const noexcept { return state_; }
    int32_t failures_in_row() const noexcept { return failures_; }
    bool probing() const noexcept { return probing_; }

    /// When an open one half-opens; INT64_MAX for any other.
    int64_t half_open_at() const noexcept { return state_ == CircuitState::open ? half_open_at_ : INT64_MAX; }

    bool admits() const noexcept { return state_ == CircuitState::closed || (state_ == CircuitState::half_open && !probing_); }

    /// An open one whose time has come half-opens; true if so.
    bool tick(int64_t now) noexcept
    {
        if (now < half_open_at()) return false;
        state_ = CircuitState::half_open;
        successes_ = 0;
        probing_ = false;
        return true;
    }

    /// Somebody is let through: the number of the probe that this is, 0 where it is closed and anybody is.
    uint32_t enter() noexcept
    {
        if (state_ != CircuitState::half_open) return 0;
        probing_ = true;
        if (++probe_ == 0) probe_ = 1;
        return probe_;
    }

    bool is_probe(uint32_t probe) const noexcept { return probe != 0 && probing_ && probe == probe_; }

    /// The probe is over, whatever came of it: the next one may go.
    void leave(uint32_t probe) noexcept
    {
        if (is_probe(probe)) probing_ = false;
    }

    /// An attempt has ended; `probe` as enter() gave it. While it is not closed only the probe counts: the others began before it opened, and tell of then.
    /// True if the state changed.
    bool record(CircuitOutcome outcome, uint32_t probe, const CircuitPolicy &policy, int64_t now) noexcept
    {
        if (outcome == CircuitOutcome::neither) return false;
        if (state_ == CircuitState::closed) {
            failures_ = outcome == CircuitOutcome::failure ? failures_ + 1 : 0;
            if (failures_ < policy.failures) return false;
            open(policy, now);
            return true;
        }
        if (!is_probe(probe)) return false;
        if (outcome == CircuitOutcome::failure) {
            failures_++;
            open(policy, now);
            return true;
        }
        if (++successes_ < policy.successes) return false;
        close();
        return true;
    }

    /// By a person's word as well.
    void close() noexcept
    {
        state_ = CircuitState::closed;
        failures_ = successes_ = 0;
        probing_ = false;
    }

private:
    void open(const CircuitPolicy &policy, int64_t now) noexcept
    {
        state_ = CircuitState::open;
        successes_ = 0;
        probing_ = false;
        half_open_at_ = now + policy.open_us;
    }

    CircuitState state_ = CircuitState::closed;
    bool probing_ = false;
    int32_t failures_ = 0, successes_ = 0;
    uint32_t probe_ = 0;
    int64_t half_open_at_ = 0;
};

}  // namespace orch::core
