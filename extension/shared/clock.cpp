#include "shared/clock.hpp"

#include "shared/launching.hpp"
#include "shared/layout.hpp"
#include "shared/settings.hpp"

#include <ctime>

namespace orch::shared {

namespace {

// Of the unix epoch before PostgreSQL's.
constexpr int64_t epoch_us = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

int64_t offset() noexcept { return root ? static_cast<int64_t>(pg_atomic_read_u64(&root->clock_offset)) : 0; }

int64_t wall_offset() noexcept { return root ? static_cast<int64_t>(pg_atomic_read_u64(&root->wall_offset)) : 0; }

void require_test_clock()
{
    require_preloaded();
    if (!settings::test_clock)
        throw pg::error{ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "the clock can only be moved where \"orch.test_clock\" is on", "",
                        "Set orch.test_clock = on and restart the server. Never do so where runs matter."};
}

}  // namespace

int64_t now_us() noexcept { return GetCurrentTimestamp() + offset() + wall_offset(); }

int64_t unix_ms() noexcept { return (now_us() + epoch_us) / 1000; }

int64_t monotonic_us() noexcept
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000 + offset();
}

void advance_clock(int64_t us)
{
    require_test_clock();
    if (us < 0) throw pg::error{ERRCODE_INVALID_PARAMETER_VALUE, "the clock can only be moved forward", "", ""};
    pg_atomic_fetch_add_u64(&root->clock_offset, us);
    wake_all_stewards();
}

void jump_wall_clock(int64_t us)
{
    require_test_clock();
    pg_atomic_fetch_add_u64(&root->wall_offset, us);
}

}  // namespace orch::shared
