#include "session.hpp"
#include "table.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace orch::cli {
namespace {

struct run_choices {
    std::string run, workflow, state;
    int limit = 20;
    bool force = false;
};

int list_runs(session &with, const run_choices &chosen)
{
    std::string where;
    parameters values{std::to_string(chosen.limit)};
    const auto narrow = [&](const char *column, const std::string &value) {
        if (value.empty()) return;
        values.emplace_back(value);
        where += std::string(where.empty() ? " where " : " and ") + column + " = $" + std::to_string(values.size());
    };
    narrow("workflow", chosen.workflow);
    narrow("state", chosen.state);
    const std::string columns = with.as_json ? "run_id, workflow, version, state, source, tags, priority, created_at, started_at, finished_at"
                                             : "run_id, workflow, state, created_at, finished_at - started_at as duration";
    // A run's id begins with its time.
    with.print("select " + columns + " from orch.runs" + where + " order by run_id desc limit $1", values, "no such runs");
    return done;
}

void require_run(const rows &found, const std::string &run)
{
    if (found.size() == 0) throw error("OR003", "there is no run \"" + run + "\"", "", "orch runs lists the newest.");
}

int show(session &with, const run_choices &chosen)
{
    const auto found = with.query("select state from orch.runs where run_id = $1", {chosen.run});
    require_run(found, chosen.run);
    if (with.as_json) {
        with.print_one("select run.*, (select coalesce(json_agg(to_json(task) order by task.task_no), '[]') from orch.tasks task where task.run_id = "
                       "run.run_id) as tasks, "
                       "(select coalesce(json_agg(to_json(why)), '[]') from orch.why(run.run_id) why) as why from orch.runs run where run.run_id = $1",
                       {chosen.run});
        return done;
    }
    with.print_one(
        "select run_id as run, workflow, version, state, source, idempotency_key, input, output, error, tags, created_at, run_at, started_at, finished_at, "
        "finished_at - started_at as duration from orch.runs where run_id = $1",
        {chosen.run});
    with.write("\n");
    with.print("select task_id, state, attempt || '/' || max_attempts as attempt, worker, started_at::timestamptz(3)::time as started, "
               "(finished_at - started_at)::interval(3) as duration, error ->> 'message' as error from orch.tasks where run_id = $1 order by task_no",
               {chosen.run});
    if (!final_state(found.text(0, "state"))) {
        with.write("\n");
        with.print("select task_id, state, reason, hint from orch.why($1)", {chosen.run});
    }
    return done;
}

/// A verb that takes a run and returns its new state.
int change(session &with, const std::string &sql, const parameters &values)
{
    const auto state = with.query("select " + sql + " as state", values).text(0, "state");
    if (with.as_json) with.write(nlohmann::json({{"run_id", *values[0]}, {"state", state}}).dump() + "\n");
    else with.write("run " + visible(*values[0]) + " " + visible(state) + "\n");
    return done;
}

}  // namespace

void add_runs(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<run_choices>();
    const auto command = [&](const char *name, const char *help, auto run) {
        auto *made = app.add_subcommand(name, help);
        made->callback([&chosen, options, run] { chosen = [options, run](session &with) -> int { return run(with, *options); }; });
        return made;
    };
    const auto with_run = [&](CLI::App *made) {
        made->add_option("run", options->run, "the run's id")->required();
        return made;
    };
    auto *runs = command("runs", "List the newest runs", list_runs);
    runs->add_option("--workflow", options->workflow, "only of this workflow");
    runs->add_option("--state", options->state, "only in this state")
        ->check(CLI::IsMember({"queued", "scheduled", "running", "paused", "cancelling", "succeeded", "failed", "timed_out", "cancelled"}));
    runs->add_option("--limit", options->limit, "how many")->check(CLI::Range(1, 100000));

    with_run(command("show", "Show a run: its tasks, and what it waits for", show));
    with_run(command("results", "Show the outputs of a run's tasks", [](session &with, const run_choices &given) {
        with.print("select task_id, state, output from orch.results($1)", {given.run});
        return done;
    }));
    with_run(command("retry", "Run the failed tasks of a finished run again",
                     [](session &with, const run_choices &given) { return change(with, "orch.retry($1)", {given.run}); }));
    with_run(command("cancel", "Cancel a run", [](session &with, const run_choices &given) {
        if (given.force) return change(with, "orch.cancel($1, force => true)", {given.run});
        return change(with, "orch.cancel($1)", {given.run});
    }))->add_flag("--force", options->force, "skip its compensation and finally tasks");
}

}  // namespace orch::cli
