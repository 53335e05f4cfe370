#include "duration.hpp"
#include "session.hpp"
#include "table.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace orch::cli {
namespace {

struct trigger_choices {
    std::string workflow, input = "{}", key, at, run_timeout, traceparent;
    std::vector<std::string> tags;
    std::optional<int> priority, version;
    bool wait = false;
    std::string timeout;
};

/// Sleeps in the server until the run is final or the time is over. Returns its last state.
std::string wait_for(session &with, const std::string &run, std::optional<std::chrono::milliseconds> timeout)
{
    using clock = std::chrono::steady_clock;
    const auto begun = clock::now();
    const auto left = [&] {
        return timeout ? *timeout - std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - begun) : std::chrono::minutes(10);
    };
    std::string state;
    for (;;) {
        with.persistently([&] {
            const auto most = std::max(left(), std::chrono::milliseconds(0));
            with.wait_in("call orch.await_run($1, $2::interval)", {run, interval_of(most)}, most);
            const auto found = with.query("select state from orch.runs where run_id = $1", {run});
            state = found.size() > 0 ? found.text(0, "state") : "unknown";
        });
        if (final_state(state) || state == "unknown" || (timeout && left().count() <= 0)) return state;
    }
}

int report(session &with, const std::string &run, const std::string &state)
{
    if (with.as_json) {
        with.print_one("select run_id, workflow, version, state, output, error, started_at, finished_at from orch.runs where run_id = $1", {run});
        return state == "succeeded" ? done : run_failed;
    }
    with.write("run " + run + (final_state(state) ? " " : " is still ") + state + "\n");
    const auto found = with.query("select jsonb_pretty(output) as output, error ->> 'message' as message from orch.runs where run_id = $1", {run});
    const auto output = found.size() > 0 ? found.text(0, "output") : "";
    if (state == "succeeded" && !output.empty()) {
        for (size_t from = 0; from < output.size();) {
            const auto end = std::min(output.find('\n', from), output.size());
            with.write(visible(std::string_view(output).substr(from, end - from)) + "\n");
            from = end + 1;
        }
    }
    if (state != "succeeded" && found.size() > 0 && found.at(0, "message")) std::cerr << "orch: " << visible(found.text(0, "message")) << '\n';
    if (state != "succeeded") std::cerr << "See orch show " << run << '\n';
    return state == "succeeded" ? done : run_failed;
}

int trigger(session &with, const trigger_choices &chosen)
{
    auto tags = nlohmann::json::object();
    for (const auto &tag : chosen.tags) tags[tag.substr(0, tag.find('='))] = tag.substr(tag.find('=') + 1);
    const auto input = chosen.input.starts_with('@') ? read_file(chosen.input.substr(1)) : chosen.input;
    const auto optional = [](const std::string &text) { return text.empty() ? std::nullopt : std::optional(text); };

    std::string sql = "select run_id, created, state from orch.trigger_run($1, $2::jsonb";
    parameters values{chosen.workflow, input};
    const auto add = [&](const char *name, const char *type, const std::optional<std::string> &value) {
        if (!value) return;
        values.push_back(value);
        sql += std::string(", ") + name + " => $" + std::to_string(values.size()) + "::" + type;
    };
    add("idempotency_key", "text", optional(chosen.key));
    if (chosen.priority) add("priority", "int", std::to_string(*chosen.priority));
    add("run_at", "timestamptz", optional(chosen.at));
    if (!tags.empty()) add("tags", "jsonb", tags.dump());
    if (!chosen.run_timeout.empty()) add("timeout", "interval", interval_of(duration(chosen.run_timeout)));
    add("traceparent", "text", optional(chosen.traceparent));
    if (chosen.version) add("version", "int", std::to_string(*chosen.version));
    sql += ")";

    std::string run, state;
    bool created = true;
    const auto call = [&] {
        const auto made = with.query(sql, values);
        run = made.text(0, "run_id");
        state = made.text(0, "state");
        created = made.text(0, "created") == "t";
    };
    // With a key the server knows a repeat; without one, a second try could make a second run.
    if (chosen.key.empty()) call();
    else with.persistently(call);
    if (chosen.wait) {
        if (!with.as_json) std::cerr << "run " << run << (created ? "" : " (it was there already)") << '\n';
        return report(with, run, wait_for(with, run, chosen.timeout.empty() ? std::nullopt : std::optional(duration(chosen.timeout))));
    }
    if (with.as_json) with.write(nlohmann::json({{"run_id", run}, {"created", created}, {"state", state}}).dump() + "\n");
    else {
        with.write(run + "\n");
        if (!created) std::cerr << "the run was there already, " << visible(state) << '\n';
    }
    return done;
}

}  // namespace

void add_trigger(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<trigger_choices>();
    auto *command = app.add_subcommand("trigger", "Start a run and print its id");
    command->add_option("workflow", options->workflow, "the workflow's id")->required();
    command->add_option("--input", options->input, "JSON, or @FILE (@- is standard input)");
    command->add_option("--key", options->key, "idempotency key: the same key and input give the same run");
    command->add_option("--tag", options->tags, "KEY=VALUE; may be repeated")->check([](const std::string &tag) {
        return tag.find('=') == 0 || tag.find('=') == tag.npos ? "write KEY=VALUE" : std::string();
    });
    command->add_option("--priority", options->priority, "-1000 to 1000, higher first");
    command->add_option("--at", options->at, "start no earlier than this time");
    command->add_option("--version", options->version, "this version instead of the newest");
    command->add_option("--run-timeout", options->run_timeout, "end the run as timed_out after this long")->check(is_duration());
    command->add_option("--traceparent", options->traceparent, "W3C trace context to hand on to the tasks");
    auto *wait = command->add_flag("--wait", options->wait, "wait for its end; exit 3 unless it succeeds");
    command->add_option("--timeout", options->timeout, "how long to wait; the run itself goes on")->needs(wait)->check(is_duration());
    command->callback([&chosen, options] { chosen = [options](session &with) { return trigger(with, *options); }; });
}

}  // namespace orch::cli
