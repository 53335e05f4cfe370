// Open tasks of a run and settled parents of its joins, counted at commit, so that no row is hot. Counts only suggest: the row check of the child makes a join fire once.
// A run without a block is legal everywhere: its settles queue an advance of the whole run.
#pragma once

#include "core/trigger_rule.hpp"
#include "shared/types.hpp"

#include <span>

namespace orch::shared {

struct JoinCount {
    uint32_t succeeded = 0;
    uint32_t failed = 0;
    uint32_t skipped = 0;
    uint32_t upstream_failed = 0;
    bool fired = false;
};

/// One parent of a join reached a final state.
struct JoinChange {
    int32_t join_no;
    char outcome_state;      // the parent's final letter
    core::TriggerRule rule;  // the join's
    int32_t at_least;
    int32_t parents;
    int32_t child_task_no;
    bool decided_here;  // this transaction decided the child itself
};

/// For the transaction that inserts the run: `open` tasks, `joins` joins with nothing settled. Published at once, since a settle could see the committed rows before a commit
/// callback ran; nobody else knows the run yet. Removed by an abort. No room = no block.
void on_commit_counters(const RunId &run, int32_t open, int32_t joins);

/// The same with counts read from rows: only sound while nobody can settle tasks of this run (rebuild).
void on_commit_counters(const RunId &run, int32_t open, std::span<const JoinCount> joins);

/// What committed transactions counted. False where the run has no block, or none is published. join_no -1: only `open`.
bool counters_of(const RunId &run, int32_t join_no, JoinCount &join, int32_t &open);

/// At commit: `settled` fewer open tasks, and each change counted at its join. A join that is decided by that, not fired yet and not decided_here, queues its advance;
/// so does the run when nothing is open any more, unless run_decided_here. No block: queues an advance of the run, unless run_decided_here.
void on_commit_lower(const RunId &run, int32_t settled, std::span<const JoinChange> changes, bool run_decided_here = false);

}  // namespace orch::shared
