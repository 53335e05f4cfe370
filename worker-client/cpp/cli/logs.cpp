#include "session.hpp"
#include "table.hpp"

#include <memory>
#include <thread>

namespace orch::cli {
namespace {

struct log_choices {
    std::string run, task;
    std::optional<int> attempt;
    bool follow = false;
};

/// Prints what came behind the position, and moves it. A line's place: attempts of a task begin their numbers anew.
int print_lines(session &with, const log_choices &chosen, std::string &after)
{
    const auto optional = [](const std::string &text) { return text.empty() ? std::nullopt : std::optional(text); };
    const auto found =
        with.query("select l.task_id, l.attempt, l.stream, l.line, l.at::timestamptz(3)::text as at, to_json(l)::text as entry, "
                   "array[l.at::text, l.task_id, l.attempt::text, l.line_no::text]::text as position "
                   "from orch.logs l where l.run_id = $1 and ($2::text is null or l.task_id = $2) and ($3::int is null or l.attempt = $3) "
                   "and ($4::text[] is null or (l.at, l.task_id, l.attempt, l.line_no) > (($4::text[])[1]::timestamptz, ($4::text[])[2], ($4::text[])[3]::int, "
                   "($4::text[])[4]::int)) "
                   "order by l.at, l.task_id, l.attempt, l.line_no limit 10000",
                   {chosen.run, optional(chosen.task), chosen.attempt ? std::optional(std::to_string(*chosen.attempt)) : std::nullopt, optional(after)});
    std::string text;
    for (int row = 0; row < found.size(); ++row) {
        if (with.as_json) text += found.text(row, "entry") + "\n";
        else
            text += found.text(row, "at") + "  " + visible(found.text(row, "task_id")) + "[" + found.text(row, "attempt") + "] " +
                    visible(found.text(row, "stream")) + ": " + visible(found.text(row, "line")) + "\n";
        after = found.text(row, "position");
    }
    if (!text.empty()) with.write(text);
    return found.size();
}

int logs(session &with, const log_choices &chosen)
{
    std::string after;
    for (bool over = false;;) {
        with.persistently([&] {
            const auto run = with.query("select state from orch.runs where run_id = $1", {chosen.run});
            if (run.size() == 0) throw error("OR003", "there is no run \"" + chosen.run + "\"", "", "orch runs lists the newest.");
            over = final_state(run.text(0, "state"));
        });
        int printed = 1;
        while (printed > 0) with.persistently([&] { printed = print_lines(with, chosen, after); });
        if (over || !chosen.follow) return done;
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
}

}  // namespace

void add_logs(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<log_choices>();
    auto *command = app.add_subcommand("logs", "Show what the tasks of a run wrote");
    command->add_option("run", options->run, "the run's id")->required();
    command->add_option("task", options->task, "only of this task");
    command->add_option("--attempt", options->attempt, "only of this attempt")->check(CLI::Range(1, 32767));
    command->add_flag("--follow", options->follow, "go on until the run ends");
    command->callback([&chosen, options] { chosen = [options](session &with) { return logs(with, *options); }; });
}

}  // namespace orch::cli
