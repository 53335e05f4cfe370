// Workflows in code. Such a run has one planned task, `main`, which a worker leases with the whole run; what its code does beside is a row each, made on the way and numbered in
// the order in which the code did it: the journal. A step in place is a row that is over when it is made; whatever else the code starts lives like any task.
//
// Locks: main's row is locked by whoever adds to the journal, and with it the right to the next number; the run's row before it, by what changes the run (tags, signals). Rows of
// the journal are taken after main's. Who wakes main takes its row SKIP LOCKED.
//
// Nobody misses a wake: a suspend holds main's row and then reads the rows that it waits for; what ends beside it, uncommitted or not seen, leaves a look at main (an advance of
// task 0) for the time behind its own commit, and that look comes back for as long as main's row is locked.
#pragma once

#include "core/lease_text.hpp"
#include "engine/call.hpp"
#include "engine/settle.hpp"

namespace orch::engine {

inline constexpr int32 main_task = 0;

/// main's row under a lease.
struct CodeMain {
    RunId run;
    const Version *version;
    int64 token;
    int32 no;
    int16 attempt;
    int16 priority;
    char flags;
    bool suspended;  // the lease has done its part: asked for again after a lost answer
};

/// The row of a lease, locked. Raises as a settle does where the lease does not hold it.
CodeMain lock_main(Call &call, const std::string &lease, bool may_be_suspended = false);
/// The same, not locked.
CodeMain look_at_main(Call &call, const std::string &lease);

/// Adds `steps`, a JSON array, to the journal (orch.record).
struct Journal {
    int32 last = 0;                     // the highest number
    std::map<std::string, int32> tail;  // the newest ids
};
Journal record(Call &call, const CodeMain &main, Datum steps);
/// The same under a lease: orch.record.
void record_steps(Call &call, const std::string &lease, Datum steps);
/// Whether some of `steps` want the run's row, which has to be locked before main's.
bool wants_run_row(Datum steps);

/// orch.suspend: false where the lease stays, since what is waited for is there.
bool suspend(Call &call, const std::string &lease, Datum waits);
/// orch.park and unpark; all parked runs of a workflow.
void park(Call &call, const std::string &lease, Datum error);
void unpark(Call &call, const RunId &run);
int wake_parked(Call &call, int32 workflow_id);

/// orch.continue_as_new.
RunId continue_as_new(Call &call, const std::string &lease, Datum input);

/// main of those of the runs whose condition holds becomes ready; a look is left for the others. Ascending.
void wake_code(Call &call, std::span<const RunId> runs);
/// The look at one run's main; true where main is over, so that the run wants a look as a whole.
bool look_at_code(Call &call, const RunId &run);
/// Whether nothing new starts in the run any more: cancelled, timed out, over.
bool is_ending(const RunId &run);
/// Whether main, waiting with this item, has what it waits for, by the states of all tasks of the run.
bool condition_holds(Datum item, const std::vector<char> &states);

/// A run ends: what its code started is cancelled, or told to stop where it runs; true where nothing is left. `main_over`: nobody waits for it any more.
bool close_code_rows(Call &call, const RunId &run, bool main_over);
/// The error that main ended with.
std::optional<Datum> error_of_main(const RunId &run);

/// What a reopened run's code has to do again (see the file).
void reopen_code_rows(Call &call, const RunId &run, const Version &version);

}  // namespace orch::engine
