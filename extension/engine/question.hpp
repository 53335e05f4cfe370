// Questions to runs in code, which have no place in the history: a row that nothing survives, given to a worker that serves the run's code as a lease of its own, and settled like any task.
// Who asks sleeps on the question's id and takes the row away; what an asker left that died, the next one does.
//
// Locks: a question's row alone, and SKIP LOCKED where a worker takes it.
#pragma once

#include "engine/lease.hpp"
#include "engine/settle.hpp"

namespace orch::engine {

/// The task number of questions, whose ids stand where those of runs do: in leases and in the ready lists.
inline constexpr int32 question_task = INT32_MAX;
inline bool is_question(const TaskRef &task) { return task.task_no == question_task; }

/// Writes the question down and returns its id. Raises OR003, OR013, OR020.
RunId ask(Call &call, const RunId &run, const std::string &name, std::optional<Datum> input, int64 timeout_us);

/// Puts it into the list of those who serve the code; false where nobody does, so that it is worth another try.
bool offer_question(Call &call, const RunId &question);

struct Answer {
    std::optional<std::string> output;  // jsonb as text
    std::optional<std::string> error;
};
std::optional<Answer> answer_of(Call &call, const RunId &question);
void forget_question(Call &call, const RunId &question);

/// Takes the questions out of what a lease was offered, and leases those that still want an answer.
void take_questions(Call &call, std::vector<TaskRef> &candidates, const WorkerIdentity &worker, uint64 token, int64 lease_time_us,
                    std::vector<LeasedTask> &leased);

/// The run that the lease of a question may read; nothing where the asker has gone, or the question was given to another.
std::optional<RunId> run_of_question(const core::Lease &lease);

/// A result for a question: wakes who asked.
void settle_question(Call &call, const WorkerIdentity *worker, Settlement &s);

/// Given back, or the lease has run out: somebody else may answer. False where the lease does not hold it.
bool offer_again(Call &call, const RunId &question, int64 token);

}  // namespace orch::engine
