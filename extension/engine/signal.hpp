// Signals: words sent to a run from outside, each delivered once, in order.
//
// Locks: whoever sends, takes or starts to wait has the run's row; then task rows, which a sender waits for.
#pragma once

#include "engine/call.hpp"
#include "engine/trigger.hpp"

namespace orch::engine {

struct WaitingSignal {
    int32 no;  // of the run's event that brought it
    std::optional<Datum> payload;
};

/// The oldest signal of that name that nobody has taken.
std::optional<WaitingSignal> oldest_signal(const RunId &run, const std::string &name);
void take_signal(const TaskRef &task, int32 no);

/// Sends a signal in the caller's transaction: the first task that waits for it goes on, or it lies there until one does. Raises OR003, OR013, OR020.
/// Locks: waits for the run's row, and for that of the task.
void send_signal(Call &call, const RunId &run, const std::string &name, std::optional<Datum> payload, bool deferred);

/// To the run that the key stands for while that goes on, else to one that is started with this input.
RunId signal_with_start(Call &call, const std::string &workflow, const std::string &name, std::optional<Datum> payload, Datum input,
                        const std::optional<std::string> &key, const TriggerOptions &options, bool deferred);

/// Gives signals that nobody has taken to tasks that wait for them. True where one was. The caller has locked the run's row.
bool deliver_signals(Call &call, const RunId &run, bool deferred);

/// What nobody has taken goes to another run, which must not have any waiting for it yet. The caller has locked both rows.
void move_signals(Call &call, const RunId &from, const RunId &to);

}  // namespace orch::engine
