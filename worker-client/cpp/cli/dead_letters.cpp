#include "session.hpp"
#include "table.hpp"

#include <memory>

namespace orch::cli {
namespace {

struct letter_choices {
    std::string id, workflow, input;
    bool all = false;
    int limit = 50;
};

int list_letters(session &with, const letter_choices &chosen)
{
    const std::string columns =
        with.as_json ? "*" : "id, workflow, run_id, task_id, attempts, created_at, coalesce(resolution, 'open') as resolution, error ->> 'message' as error";
    with.print("select " + columns +
                   " from orch.dead_letters where ($2::text is null or workflow = $2) and ($3::boolean or resolution is null) order by id desc limit $1",
               {std::to_string(chosen.limit), chosen.workflow.empty() ? std::nullopt : std::optional(chosen.workflow), chosen.all ? "true" : "false"},
               "no dead letters");
    return done;
}

int redrive(session &with, const letter_choices &chosen)
{
    if (chosen.input.empty()) with.print("select run_id, task_id from orch.redrive($1::bigint)", {chosen.id});
    else
        with.print("select run_id, task_id from orch.redrive($1::bigint, input => $2::jsonb)",
                   {chosen.id, chosen.input.starts_with('@') ? read_file(chosen.input.substr(1)) : chosen.input});
    return done;
}

int discard(session &with, const letter_choices &chosen)
{
    with.query("select orch.discard($1::bigint)", {chosen.id});
    if (with.as_json) with.write("{\"id\":" + std::to_string(std::stoll(chosen.id)) + ",\"resolution\":\"discarded\"}\n");
    else with.write("dead letter " + visible(chosen.id) + " discarded\n");
    return done;
}

}  // namespace

void add_dead_letters(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<letter_choices>();
    auto *group = app.add_subcommand("dead-letters", "List tasks that failed for good; run them again or discard them");
    group->require_subcommand(0, 1);
    const auto add_filters = [&](CLI::App *to) {
        to->add_option("--workflow", options->workflow, "only of this workflow");
        to->add_flag("--all", options->all, "those redriven or discarded too");
        to->add_option("--limit", options->limit, "how many")->check(CLI::Range(1, 100000));
    };
    const auto act = [&chosen, options](auto run) {
        return [&chosen, options, run] { chosen = [options, run](session &with) -> int { return run(with, *options); }; };
    };
    add_filters(group);
    // The group's callback comes after its command's, so it acts only where none was given.
    group->callback([group, act_on_list = act(list_letters)] {
        if (group->get_subcommands().empty()) act_on_list();
    });
    auto *lists = group->add_subcommand("list", "List them, the newest first");
    add_filters(lists);
    lists->callback(act(list_letters));
    auto *redrives = group->add_subcommand("redrive", "Reopen the run and try the task again");
    redrives->add_option("id", options->id, "the dead letter's id")->required()->check(CLI::NonNegativeNumber);
    redrives->add_option("--input", options->input, "JSON or @FILE, in place of the task's input");
    redrives->callback(act(redrive));
    auto *discards = group->add_subcommand("discard", "Mark it as seen, and leave the run as it is");
    discards->add_option("id", options->id, "the dead letter's id")->required()->check(CLI::NonNegativeNumber);
    discards->callback(act(discard));
}

}  // namespace orch::cli
