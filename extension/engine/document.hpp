// What templates and conditions see of a run: {run, input, tasks: {id: {state, output, error}}}, holding only what they name.
//
// User paths run in here, inside the engine's transaction, so each is bounded: evaluate under a subtransaction with orch.expression_timeout.
#pragma once

#include "engine/leaf.hpp"
#include "engine/version.hpp"

#include <unordered_map>

namespace orch::engine {

/// Outputs of tasks that ended in this very transaction, which no table shows yet: JSON text by task number.
struct FreshResult {
    char state;
    std::string output;
    std::string error;
};
using FreshResults = std::unordered_map<int32, FreshResult>;

/// What `run` shows, where a template names it.
struct RunFacts {
    char state = 'r';
    std::vector<int32> failed = {};  // for finally tasks: the tasks that failed or timed out
};

/// As the rows have them: a run whose end is decided shows that already, as its finally tasks want to know.
RunFacts facts_of(const RunId &run);

/// A path that failed to evaluate, or a template that found nothing: the task fails by it.
struct expression_error {
    std::string code;  // template_unresolved or expression_timeout
    std::string message;
};

class Document {
public:
    Document(const RunId &run, const Version &version) : run_(run), version_(version) {}

    void facts(const RunFacts &facts) { facts_ = facts; }
    void fresh(const FreshResults *fresh) { fresh_ = fresh; }

    /// JSON text of `value` with its templates resolved for a task. Throws expression_error.
    std::string resolve(const core::PlannedTask &task, const core::Json &value);

    /// JSON text of what a worker is told of a task. Throws expression_error.
    std::string resolve_spec(const core::PlannedTask &task);

    /// The value of a task's `when`: unknown is false. Throws expression_error only for a timeout.
    bool holds(const core::PlannedTask &task);

    /// The run's own output template, which may name every task.
    std::string resolve_output();

private:
    Datum build(const std::vector<int32> &tasks, bool input, bool run);
    template <class Render>
    std::string resolve_in(Datum document, const Render &render);

    RunId run_;
    const Version &version_;
    RunFacts facts_;
    const FreshResults *fresh_ = nullptr;
};

/// JSON text of a run's input.
std::string input_of(const RunId &run);

}  // namespace orch::engine
