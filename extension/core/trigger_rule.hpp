// When a task runs, by the states of its parents: Apache Airflow's twelve rules with their early decisions, and n of m.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace orch::core {

enum class TriggerRule : uint8_t {
    all_success,
    all_failed,
    all_done,
    all_skipped,
    one_success,
    one_failed,
    one_done,
    none_failed,
    none_failed_min_one_success,
    none_skipped,
    all_done_min_one_success,
    always,
    at_least,
};

/// The word of a definition; `at_least` is none, since it is written {at_least: n}.
std::optional<TriggerRule> trigger_rule_from(std::string_view word);
std::string_view trigger_rule_name(TriggerRule rule);

/// How many of a task's parents are in which final state; `failed` counts timed out and cancelled ones too.
struct Counts {
    int32_t parents = 0;
    int32_t succeeded = 0;
    int32_t failed = 0;
    int32_t skipped = 0;
    int32_t upstream_failed = 0;
};

enum class Outcome : uint8_t { wait, run, skipped, upstream_failed };

/// What the rule says now. `at_least` is the n of TriggerRule::at_least and ignored by the others. A task with no parents runs.
Outcome evaluate(TriggerRule rule, int at_least, const Counts &counts);

/// Whether a child with this rule handles the failure of a parent by having run.
bool accepts_failure(TriggerRule rule);

}  // namespace orch::core
