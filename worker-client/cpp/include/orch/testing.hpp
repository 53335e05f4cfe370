#pragma once

#include "orch/worker.hpp"
#include "orch/workflow.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace orch {

/// Runs workflows and their handlers in memory: no server, no worker, and a clock that is moved instead of waited for. One thread, no locks: a run goes on
/// inside the calls of this class. At each point where a run would be suspended its code is thrown away and replayed, as after a crash.
class test_environment {
public:
    test_environment();
    ~test_environment();
    test_environment(const test_environment &) = delete;
    test_environment &operator=(const test_environment &) = delete;

    void workflow(const std::string &name, workflow_function function, const std::string &version = "1");
    void handler(std::string name, handler_function function);
    /// Called in the place of the handler or of the function in place of that name.
    void mock(std::string step, std::function<json(task_context &, json input)> function);

    /// Starts a run, with the newest version of the workflow, and takes it as far as it goes. Returns its id.
    std::string start(const std::string &workflow, json input = json::object());
    void signal(const std::string &run, const std::string &name, json payload = nullptr);
    /// As orch::client has them; what the code answers with an error is thrown as a task_error.
    [[nodiscard]] json query(const std::string &run, const std::string &name, const json &input = nullptr);
    /// Returns the answer, or nothing where the handler waits for something: the same call with the same id gives it later.
    std::optional<json> update(const std::string &run, const std::string &name, const json &input = nullptr, const std::string &id = "update");
    /// A run that waits is over at once; one whose code runs is told at its next await, so call it from a step's function.
    void cancel(const std::string &run);
    /// Moves the clock, and fires what becomes due on the way at its time.
    void advance(std::chrono::milliseconds duration);
    /// Moves the clock to the next time that something is due, again and again, until the run is over or waits for what no time brings.
    void run_timers(const std::string &run);
    [[nodiscard]] std::chrono::system_clock::time_point now() const;

    /// running, waiting, parked, or how it ended: succeeded, failed, cancelled.
    [[nodiscard]] std::string state(const std::string &run) const;
    /// What it returned. Throws what it failed with as a step_error, and std::logic_error while it is not over.
    [[nodiscard]] json result(const std::string &run) const;
    [[nodiscard]] json error(const std::string &run) const;
    [[nodiscard]] json tags(const std::string &run) const;
    [[nodiscard]] std::vector<std::string> lines(const std::string &run) const;
    /// The run that continue_as_new has made of it; empty where there is none.
    [[nodiscard]] std::string continued_as(const std::string &run) const;
    /// The rows of orch.history, as JSON: [{no, id, definition, state, output, error, ended_at}].
    [[nodiscard]] json history(const std::string &run) const;
    /// How many times the code was run from its beginning.
    [[nodiscard]] int replays(const std::string &run) const;

    /// Runs the code against a recorded history, of a production run say, as far as that goes. Throws non_deterministic where it does not fit. No function of a
    /// step in place is called. Returns the output where the code came to its end.
    static std::optional<json> replay(const workflow_function &function, const json &history, const json &input = json::object());

private:
    struct state_;
    std::unique_ptr<state_> all_;
};

}  // namespace orch
