// Taking results: each is fenced by its lease's token, settled at most once, and answered by one word.
//
// Locks: the settled tasks' rows, in order of run and task; whatever follows from them is taken SKIP LOCKED (progress.hpp).
#pragma once

#include "core/lease_text.hpp"
#include "engine/attempts.hpp"
#include "engine/lease.hpp"
#include "shared/refusals.hpp"

namespace orch::engine {

enum class SettleStatus : uint8_t { ok, duplicate, conflict, not_yours, lost, cancelled, too_large, invalid, go_on };

std::string_view status_word(SettleStatus status);

struct Settlement {
    std::string lease_text;            // as it was sent; empty where there was none
    std::optional<core::Lease> lease;  // nothing where the text is no lease
    std::optional<Datum> output;       // jsonb of a success
    std::optional<Datum> error;        // jsonb of a failure, {reason} of a skip
    bool skips = false;
    std::optional<bool> retry;
    std::optional<Datum> suspend = {};  // of code that waits: orch.suspend's waits
    std::optional<Datum> steps = {};    // of code: recorded before the result
    std::optional<Datum> facts = {};    // jsonb object of what was measured, kept with the attempt's last event
    SettleStatus status = SettleStatus::lost;
    size_t size = 0;       // bytes of what was too large
    bool over = false;     // decided without the row of a settle
    bool foreign = false;  // of another tenant's run, whose history is told nothing of it
};

/// {reason} of a task that its handler skips; null has none.
Datum skip_reason(const std::optional<std::string> &reason);

/// The elements of [{lease, output} | {lease, error, retry} | {lease, skip} | {lease, suspend}], the first two perhaps with steps; what is no such element is `invalid`. Raises 22023 for anything but an array.
std::vector<Settlement> settlements_of(Datum results);

/// Whether a lease, or what looks like one, is of a run of another tenant than the caller's.
bool is_foreign_lease(const Call &call, const WorkerIdentity *worker, const core::Lease &lease);

/// Settles them; each has its status afterwards. `worker`, where known, must be the one that holds the leases.
/// `deferred`: inside a transaction of the caller's that may stay open.
void settle(Call &call, const WorkerIdentity *worker, std::vector<Settlement> &settlements, bool deferred);

/// What the steward is to write about a refused settle; `worker` is empty where nobody said who it is.
shared::Refusal refusal_of(const Settlement &settlement, std::string_view worker);

/// What a single settle raises where it was refused; the steward writes the refusal, since this transaction is about to roll back.
[[noreturn]] void raise_refusal(const Settlement &settlement);

/// Gives tasks back without using up an attempt; the statuses of those that were not held by these leases. `of_caller`: only those of the caller's tenant; a runner works for all.
std::vector<std::pair<std::string, SettleStatus>> release(Call &call, const std::vector<std::string> &leases, bool of_caller = true);

/// Running attempts of these leases, locked. Those that are not running under that token any more are left out.
struct LeaseKey {
    RunId run;
    int32 task_no;
    int32 attempt;  // 0 = whatever it is
    int64 token;
};
std::vector<Attempt> lock_attempts(std::vector<LeaseKey> keys, bool skip_locked);

/// Whether a task's row, as committed now, is running under that token. With a tenant: and is of that.
bool still_running(const TaskRef &task, int64 token, std::optional<std::string> tenant = {});

}  // namespace orch::engine
