// What monitoring counts: events by kind, runs and tasks by state, and how long things took. Changed at commit with everything else, so an abort counts nothing; read without
// touching a row. Counters live as long as the server; the states are counted from rows at a rebuild.
#pragma once

#include "shared/types.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace orch::shared {

/// Numbers beside the events, each a level that rises and falls, but for those that say so.
enum class Level : uint8_t { runs_queued, runs_scheduled, runs_running, runs_paused, runs_cancelling, tasks_scheduled, tasks_waiting, dead_letters_made };
inline constexpr int level_count = 8;

/// queueing: from ready to its lease, by queue; attempt: from its lease to its end, by queue; run: from its start to its end, by workflow.
enum class Timing : uint8_t { queueing, attempt, run };
inline constexpr int timing_count = 3;

/// Upper bounds in microseconds; a last bucket takes the rest.
inline constexpr std::array<int64_t, 16> timing_bounds = {1'000,       5'000,       10'000,        50'000,        100'000,    500'000,
                                                          1'000'000,   2'500'000,   5'000'000,     10'000'000,    30'000'000, 60'000'000,
                                                          300'000'000, 900'000'000, 3'600'000'000, 14'400'000'000};
inline constexpr int timing_buckets = static_cast<int>(timing_bounds.size()) + 1;

void on_commit_count_events(int16_t kind, int64_t count);
void on_commit_level(Level level, int64_t delta);
/// From one state to another; a state that is not counted, like a final one or '\0', is none.
void on_commit_run_state(char from, char to, int64_t count = 1);
void on_commit_task_state(char from, char to, int64_t count = 1);
/// `name` is a queue or a workflow; those that came too late for a place of their own share one.
void on_commit_timing(Timing timing, std::string_view tenant, std::string_view name, int64_t us);

/// At a rebuild, when nothing else changes it.
void set_level(Level level, int64_t value);

struct TimingStatus {
    Timing timing;
    std::string tenant, name;  // both empty: those without a place
    std::array<uint64_t, timing_buckets> buckets;
    int64_t sum_us;
};

struct MeterStatus {
    std::array<int64_t, level_count> levels;
    int64_t ready, running, timers, advances;
    int64_t feed_pending;  // positions that readers may not see yet
    std::vector<std::pair<int16_t, int64_t>> events;
    std::vector<TimingStatus> timings;
};

MeterStatus meter_status();

}  // namespace orch::shared
