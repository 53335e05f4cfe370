#include "duration.hpp"
#include "session.hpp"
#include "table.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <thread>

namespace orch::cli {
namespace {

struct signal_choices {
    std::string run, name, payload, comment, form, id, timeout = "10s";
    bool reject = false;
};

std::optional<std::string> json_given(const std::string &text)
{
    if (text.empty()) return std::nullopt;
    return text.starts_with('@') ? read_file(text.substr(1)) : text;
}

int send_signal(session &with, const signal_choices &chosen)
{
    with.query("select orch.signal($1::uuid, $2::text, $3::jsonb)", {chosen.run, chosen.name, json_given(chosen.payload)});
    if (with.as_json) with.write(nlohmann::json({{"run_id", chosen.run}, {"signal", chosen.name}}).dump() + "\n");
    else with.write("signal " + visible(chosen.name) + " sent to run " + visible(chosen.run) + "\n");
    return done;
}

int approve(session &with, const signal_choices &chosen)
{
    with.query("select orch.approve($1::uuid, $2::text, approved => $3::boolean, comment => $4::text, form => $5::jsonb)",
               {chosen.run, chosen.name, chosen.reject ? "false" : "true", chosen.comment.empty() ? std::nullopt : std::optional(chosen.comment),
                json_given(chosen.form)});
    if (with.as_json) with.write(nlohmann::json({{"run_id", chosen.run}, {"task_id", chosen.name}, {"approved", !chosen.reject}}).dump() + "\n");
    else with.write("task " + visible(chosen.name) + " of run " + visible(chosen.run) + (chosen.reject ? " rejected\n" : " approved\n"));
    return done;
}

// The answer as it is, so that it can go on to jq.
int show_answer(session &with, const std::string &sql, const parameters &values)
{
    if (!with.pooled()) with.query("set statement_timeout = 0");
    with.write(std::string(with.query(sql, values).at(0, "answer").value_or("null")) + "\n");
    return done;
}

int ask(session &with, const signal_choices &chosen)
{
    return show_answer(with, "call orch.query($1::uuid, $2::text, $3::jsonb, $4::interval)",
                       {chosen.run, chosen.name, json_given(chosen.payload), interval_of(duration(chosen.timeout))});
}

int update(session &with, const signal_choices &chosen)
{
    const auto sent = with.query("select orch.update($1::uuid, $2::text, $3::jsonb, $4::text)",
                                 {chosen.run, chosen.name, json_given(chosen.payload), chosen.id.empty() ? std::nullopt : std::optional(chosen.id)});
    const auto look = [&](std::chrono::milliseconds time) {
        return show_answer(with, "call orch.await_update($1::uuid, $2::text, $3::interval)", {chosen.run, sent.text(0, "update"), interval_of(time)});
    };
    const auto limit = duration(chosen.timeout);
    if (!with.pooled()) return look(limit);
    const auto end = std::chrono::steady_clock::now() + limit;
    for (pauses between;; std::this_thread::sleep_for(between.next())) {
        try {
            return look(std::chrono::milliseconds(0));
        } catch (const error &open) {
            if (open.code != "OR040" || std::chrono::steady_clock::now() >= end) throw;
        }
    }
}

}  // namespace

void add_signals(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<signal_choices>();
    auto *signal = app.add_subcommand("signal", "Send a signal to a run that waits for it, or will");
    signal->add_option("run", options->run, "the run's id")->required();
    signal->add_option("name", options->name, "the signal's name")->required();
    signal->add_option("--payload", options->payload, "JSON, or @FILE (@- is standard input)");
    signal->callback([&chosen, options] { chosen = [options](session &with) { return send_signal(with, *options); }; });

    auto *query = app.add_subcommand("query", "Ask the code of a run for something that it knows");
    query->add_option("run", options->run, "the run's id")->required();
    query->add_option("name", options->name, "the query's name")->required();
    query->add_option("--input", options->payload, "JSON, or @FILE (@- is standard input)");
    query->add_option("--timeout", options->timeout, "how long to wait for the answer, such as 30s [10s]")->check(is_duration());
    query->callback([&chosen, options] { chosen = [options](session &with) { return ask(with, *options); }; });

    auto *updates = app.add_subcommand("update", "Tell the code of a run something, and wait for its answer");
    updates->add_option("run", options->run, "the run's id")->required();
    updates->add_option("name", options->name, "the update's name")->required();
    updates->add_option("--input", options->payload, "JSON, or @FILE (@- is standard input)");
    updates->add_option("--id", options->id, "the same id is the same update, however often it is sent");
    updates->add_option("--timeout", options->timeout, "how long to wait for the answer, such as 30s [10s]")->check(is_duration());
    updates->callback([&chosen, options] { chosen = [options](session &with) { return update(with, *options); }; });

    auto *approves = app.add_subcommand("approve", "Approve or reject a task that waits for an approval");
    approves->add_option("run", options->run, "the run's id")->required();
    approves->add_option("task", options->name, "the task's id")->required();
    approves->add_flag("--reject", options->reject, "reject it");
    approves->add_option("--comment", options->comment, "why, for the history");
    approves->add_option("--form", options->form, "JSON or @FILE: what the approval's form asks for");
    approves->callback([&chosen, options] { chosen = [options](session &with) { return approve(with, *options); }; });

    app.add_subcommand("schedules", "List the schedules, which this version does not have yet")->callback([&chosen] {
        chosen = [](session &) -> int {
            throw error("0A000", "this version of orch has no schedules", "",
                        "Let cron or pg_cron call orch.trigger with an idempotency key made of the nominal time, or trigger later with --at.");
        };
    });
}

}  // namespace orch::cli
