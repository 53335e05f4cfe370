#include "live_tree.hpp"
#include "session.hpp"
#include "table.hpp"
#include "terminal.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <memory>
#include <thread>

namespace orch::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto between_looks = 300ms;

struct watch_choices {
    std::string run;
};

struct seen_run {
    std::string id, workflow, state, error;
    double seconds = 0;
    std::vector<tree_task> tasks;
};

std::vector<std::string> texts_in(const std::string &json_array) { return nlohmann::json::parse(json_array).get<std::vector<std::string>>(); }

seen_run look(session &with, const std::string &id)
{
    seen_run run;
    rows found, tasks;
    with.persistently([&] {
        found = with.query("select run_id, workflow, state, error ->> 'message' as error, "
                           "extract(epoch from coalesce(finished_at, now()) - coalesce(started_at, created_at)) as seconds from orch.runs where run_id = $1",
                           {id});
        tasks = with.query(
            "select task_id, state, worker, attempt, max_attempts, level, to_json(dependencies) as dependencies, progress, error ->> 'message' as error, "
            "coalesce(extract(epoch from coalesce(finished_at, case when state = 'running' then now() end) - started_at), 0) as seconds "
            "from orch.tasks where run_id = $1 order by task_no",
            {id});
    });
    if (found.size() == 0) throw error("OR003", "there is no run \"" + id + "\"", "", "orch runs lists the newest.");
    run = {found.text(0, "run_id"), found.text(0, "workflow"), found.text(0, "state"), found.text(0, "error"), std::stod(found.text(0, "seconds")), {}};
    for (int row = 0; row < tasks.size(); ++row) {
        const auto number = [&](const char *name) { return std::stoi(tasks.text(row, name)); };
        const auto progress = tasks.at(row, "progress");
        const auto dependencies = tasks.at(row, "dependencies");
        run.tasks.push_back({tasks.text(row, "task_id"), tasks.text(row, "state"), tasks.text(row, "worker"), tasks.text(row, "error"), number("attempt"),
                             number("max_attempts"), number("level"), dependencies ? texts_in(std::string(*dependencies)) : std::vector<std::string>{},
                             progress ? nlohmann::json::parse(*progress) : nlohmann::json(), std::stod(tasks.text(row, "seconds"))});
    }
    return run;
}

tree_line heading(const seen_run &run)
{
    size_t over = 0;
    for (const auto &task : run.tasks)
        over += task.state == "succeeded" || task.state == "skipped" || task.state == "failed" || task.state == "timed_out" || task.state == "cancelled" ||
                task.state == "upstream_failed";
    const std::string symbol(symbol_of(run.state));
    return {symbol + " " + visible(run.workflow) + "  " + run.state + "  " + std::to_string(over) + "/" + std::to_string(run.tasks.size()) + " tasks  " +
                span_text(run.seconds) + "  " + run.id,
            0, symbol.size(), colour_of(run.state), true};
}

void draw(terminal &screen, const seen_run &run)
{
    const size_t width = screen.width() - 1, height = screen.height();
    auto lines = fitted(draw_tree(run.tasks), width, height > 4 ? height - 3 : 1);
    auto first = heading(run);
    first.text = shortened(std::move(first.text), width);
    lines.insert(lines.begin(), std::move(first));
    screen.redraw(lines);
}

/// For a pipe: a line for each change.
void tell(session &with, const seen_run &run, std::map<std::string, std::string> &told)
{
    std::string text;
    const auto line = [&](const std::string &about, const std::string &state, const std::string &more) {
        auto &last = told[about];
        if (last == state + more) return;
        last = state + more;
        if (with.as_json) {
            nlohmann::ordered_json change{{"run_id", run.id}};
            if (about != run.id) change["task_id"] = about;
            change["state"] = state;
            if (!more.empty()) change["detail"] = more;
            text += change.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
        } else {
            text += std::string(symbol_of(state)) + " " + visible(about) + "  " + state + (more.empty() ? "" : "  " + visible(more)) + "\n";
        }
    };
    if (!final_state(run.state)) line(run.id, run.state, "");
    for (const auto &task : run.tasks) {
        if (task.state == "pending" && !told.contains(task.id)) continue;
        line(task.id, task.state, task.state == "running" && task.attempt > 1 ? "attempt " + std::to_string(task.attempt) : task.error);
    }
    if (final_state(run.state)) line(run.id, run.state, run.error);
    if (!text.empty()) with.write(text);
}

int watch(session &with, const watch_choices &chosen)
{
    terminal screen;
    std::map<std::string, std::string> told;
    for (;;) {
        const auto run = look(with, chosen.run);
        if (screen.is_there() && !with.as_json) draw(screen, run);
        else tell(with, run, told);
        if (final_state(run.state)) return run.state == "succeeded" ? done : run_failed;
        std::this_thread::sleep_for(between_looks);
    }
}

}  // namespace

void add_watch(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<watch_choices>();
    auto *command = app.add_subcommand("watch", "Follow a run until it ends: a live tree on a terminal, a line for each change in a pipe");
    command->add_option("run", options->run, "the run's id")->required();
    command->footer("Each task stands below the deepest of those that it depends on. A handler that tells {\"done\": n, \"total\": m} or {\"percent\": n} as "
                    "its progress gets a bar. "
                    "Exit code 3 unless the run succeeds.");
    command->callback([&chosen, options] { chosen = [options](session &with) { return watch(with, *options); }; });
}

}  // namespace orch::cli
