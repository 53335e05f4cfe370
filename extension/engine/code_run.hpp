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
    int32 worker_id;
    bool ending;     // nothing new starts in the run any more: it is cancelled, its time is up
    bool asked;      // somebody has sent it updates
    bool suspended;  // the lease has done its part: asked for again after a lost answer
};

/// The row of a lease, not locked. Raises as a settle does where the lease does not hold it.
CodeMain look_at_main(Call &call, const std::string &lease);

/// The run whose journal a lease may read: that of main, or of a question.
RunId run_to_read(Call &call, const std::string &lease);

/// Raises OR020 where the run is not one of a workflow in code.
void require_code(const RunId &run, const Version &version);

/// An entry of the journal as a call brings it.
struct JournalEntry {
    enum class What : uint8_t { done, failed, tags, started };
    What what = What::done;
    std::string id;
    Datum sent = 0;               // as the code sent it
    Datum item = 0;               // its definition: what the row keeps
    std::optional<Datum> result;  // of a step in place
    std::optional<Datum> seen;
    std::optional<Datum> input;  // of what is started
    core::PlannedTask planned;
    int32 no = 0;        // the row's number
    std::string update;  // the id of the update that it accepts, refuses or answers
    bool answers = false;
    bool fills = false;  // a row that a reopening has emptied
};

/// What a call adds to the journal, main's row being locked: everything is looked at before anything is written.
struct Journal {
    std::vector<JournalEntry> added;      // without those that are there already
    std::map<std::string, int32> newest;  // the newest ids, with those
};
Journal read_entries(const CodeMain &main, Datum steps);
void write_entries(Call &call, const CodeMain &main, const Journal &journal);
/// Whether some of `steps` want the run's row, which has to be locked before main's.
bool wants_run_row(Datum steps);

/// orch.record.
void record_steps(Call &call, const std::string &lease, Datum steps);
/// An element of a batch that suspends, or that brings steps beside its result. Raises nothing that is a matter of this one element alone.
void settle_code(Call &call, const WorkerIdentity *worker, Settlement &s, bool deferred);

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
/// Main goes on where it waits for anything but other code: an update has come. The caller has the run's row.
void wake_for_update(Call &call, const RunId &run);
/// The look at one run's main; true where main is over, so that the run wants a look as a whole.
bool look_at_code(Call &call, const RunId &run);
/// Whether main, waiting with this item, has what it waits for, by the states of all tasks of the run.
bool condition_holds(Datum item, const std::vector<char> &states);

/// A run ends: what its code started is cancelled, or told to stop where it runs; true where nothing is left. `main_over`: nobody waits for it any more.
bool close_code_rows(Call &call, const RunId &run, bool main_over);
/// The error that main ended with.
std::optional<Datum> error_of_main(const RunId &run);

/// What a reopened run's code has to do again (see the file).
void reopen_code_rows(Call &call, const RunId &run, const Version &version);

}  // namespace orch::engine
