#include "core/trigger_rule.hpp"

#include <array>
#include <cstddef>

#include "core/last_include.hpp"

namespace orch::core {
namespace {

constexpr std::array<std::string_view, 13> rule_names = {
    "all_success",
    "all_failed",
    "all_done",
    "all_skipped",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "all_done_min_one_success",
    "always",
    "at_least",
};

// A rule that needs n successes runs as soon as it has them and gives up as soon as it cannot get them any more. What it cannot get because of a failure is
// upstream_failed; where all that is missing was skipped, so is the child.
Outcome needs_successes(int n, const Counts &counts)
{
    const int open = counts.parents - counts.succeeded - counts.failed - counts.skipped - counts.upstream_failed;
    if (counts.succeeded >= n) return Outcome::run;
    if (counts.succeeded + open >= n) return Outcome::wait;
    return counts.failed + counts.upstream_failed > 0 ? Outcome::upstream_failed : Outcome::skipped;
}

}  // namespace

std::optional<TriggerRule> trigger_rule_from(std::string_view word)
{
    for (std::size_t i = 0; i < static_cast<std::size_t>(TriggerRule::at_least); i++)
        if (rule_names[i] == word) return static_cast<TriggerRule>(i);
    return std::nullopt;
}

std::string_view trigger_rule_name(TriggerRule rule) { return rule_names[static_cast<std::size_t>(rule)]; }

// Each rule reads: what decides against it at once, then whether to wait, then what is true of all parents. The order is Airflow's: a failure weighs more than a
// skip where both speak against running.
Outcome evaluate(TriggerRule rule, int at_least, const Counts &counts)
{
    if (counts.parents == 0 || rule == TriggerRule::always) return Outcome::run;
    const bool all_done = counts.succeeded + counts.failed + counts.skipped + counts.upstream_failed == counts.parents;
    const bool broken = counts.failed + counts.upstream_failed > 0;
    const bool skipped = counts.skipped > 0;
    const bool succeeded = counts.succeeded > 0;
    const Outcome run_when_done = all_done ? Outcome::run : Outcome::wait;

    switch (rule) {
    case TriggerRule::all_success:
        if (broken) return Outcome::upstream_failed;
        return skipped ? Outcome::skipped : run_when_done;
    case TriggerRule::all_failed: return succeeded || skipped ? Outcome::skipped : run_when_done;
    case TriggerRule::all_done: return run_when_done;
    case TriggerRule::all_skipped: return succeeded || broken ? Outcome::skipped : run_when_done;
    case TriggerRule::one_success: return needs_successes(1, counts);
    case TriggerRule::one_failed:
        if (broken) return Outcome::run;
        return all_done ? Outcome::skipped : Outcome::wait;
    case TriggerRule::one_done:
        // "Done" means that it ran: a parent that never started, for whatever reason, does not count.
        if (succeeded || counts.failed > 0) return Outcome::run;
        return all_done ? Outcome::skipped : Outcome::wait;
    case TriggerRule::none_failed: return broken ? Outcome::upstream_failed : run_when_done;
    case TriggerRule::none_failed_min_one_success:
        if (broken) return Outcome::upstream_failed;
        return all_done && !succeeded ? Outcome::skipped : run_when_done;
    case TriggerRule::none_skipped: return skipped ? Outcome::skipped : run_when_done;
    case TriggerRule::all_done_min_one_success:
        if (skipped) return Outcome::skipped;
        return all_done && !succeeded ? Outcome::upstream_failed : run_when_done;
    case TriggerRule::at_least: return needs_successes(at_least, counts);
    case TriggerRule::always: break;
    }
    return Outcome::run;
}

bool accepts_failure(TriggerRule rule)
{
    switch (rule) {
    case TriggerRule::all_success:
    case TriggerRule::none_failed:
    case TriggerRule::none_failed_min_one_success:
    case TriggerRule::all_skipped: return false;
    default: return true;
    }
}

}  // namespace orch::core
