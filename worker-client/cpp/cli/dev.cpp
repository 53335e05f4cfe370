#include "definition_file.hpp"
#include "session.hpp"
#include "table.hpp"
#include "throwaway_server.hpp"
#include "worker_log.hpp"

#include "orch/plugins.hpp"
#include "orch/worker.hpp"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

namespace orch::cli {
namespace {

using namespace std::chrono_literals;

struct dev_choices {
    std::vector<std::string> files, plugins;
    std::string input;
    int concurrency = 4;
};

std::atomic<bool> interrupted{false};

void say(const session &with, const std::string &text) { with.write(text + "\n"); }

/// Registers a file, or says what is wrong with it; triggers a run of it where that was wished.
void register_again(session &with, const std::string &file, const dev_choices &chosen)
{
    try {
        const auto spec = definition_in(file, "auto");
        const auto made = with.query("select workflow, version, created from orch.register($1::text)", {spec});
        const auto workflow = made.text(0, "workflow");
        say(with, "registered " + visible(workflow) + " version " + made.text(0, "version") + (made.text(0, "created") == "t" ? "" : ", as it was"));
        if (chosen.input.empty()) return;
        const auto input = chosen.input.starts_with('@') ? read_file(chosen.input.substr(1)) : chosen.input;
        const auto run = with.query("select orch.trigger($1, $2::jsonb) as run", {workflow, input}).text(0, "run");
        say(with, "run " + run + " of " + visible(workflow));
        with.query("call orch.await_run($1, '1 minute')", {run});
        const auto ended = with.query("select state, output::text as output, error ->> 'message' as error from orch.runs where run_id = $1", {run});
        say(with, "run " + run + " " + ended.text(0, "state") + "  " + visible(ended.text(0, ended.text(0, "state") == "succeeded" ? "output" : "error")));
    } catch (const error &refused) {
        say(with, visible(file) + ": " + visible(refused.what()));
        for (const auto *more : {&refused.detail, &refused.hint})
            if (!more->empty()) say(with, "    " + visible(*more));
    }
}

int dev(session &with, const dev_choices &chosen)
{
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = true; };
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);

    std::cerr << "starting a server of its own ...\n";
    throwaway_server server;
    with.database = server.url();
    worker_options options{.database = server.url(), .id = "dev", .concurrency = chosen.concurrency, .log = worker_log("info", false)};
    orch::worker worker(std::move(options));
    worker.handler("noop", noop_handler);
    worker.handler("flaky", flaky_handler);
    for (const auto &plugin : chosen.plugins)
        for (auto &handler : load_plugin(plugin)) worker.handler(handler.name, std::move(handler.function), handler.options);
    std::thread works([&] {
        try {
            worker.run();
        } catch (const std::exception &broken) {
            std::cerr << "orch: the worker ended: " << visible(broken.what()) << '\n';
            interrupted = true;
        }
    });
    say(with, "export ORCH_DATABASE_URL='" + server.url() + "'");
    std::vector<std::filesystem::file_time_type> seen(chosen.files.size());
    // A look a moment finds what editors do in all their ways: write in place, or rename a new file onto the old one.
    while (!interrupted) {
        for (size_t i = 0; i < chosen.files.size(); ++i) {
            std::error_code gone;
            const auto changed = std::filesystem::last_write_time(chosen.files[i], gone);
            if (gone || changed == seen[i]) continue;
            seen[i] = changed;
            register_again(with, chosen.files[i], chosen);
        }
        std::this_thread::sleep_for(200ms);
    }
    worker.stop();
    worker.stop();
    works.join();
    with.close();
    return done;
}

}  // namespace

void add_dev(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<dev_choices>();
    auto *command = app.add_subcommand("dev", "Try definitions: a server and a worker of its own, and each file registered again whenever it is saved");
    command->add_option("file", options->files, "JSON or YAML")->required()->check(CLI::ExistingFile);
    command->add_option("--input", options->input, "trigger a run with this JSON, or @FILE, after each registration and show its end");
    command->add_option("--plugin", options->plugins, "a shared library with handlers; may be repeated");
    command->add_option("--concurrency", options->concurrency, "tasks at once [4]")->check(CLI::Range(1, 1000));
    command->footer("Prints the database's URL for other terminals (orch watch, psql, workers of yours). Ctrl-C ends it and removes everything. "
                    "Needs PostgreSQL's programs (PG_CONFIG, else pg_config on the PATH) with the extension installed.");
    command->callback([&chosen, options] { chosen = [options](session &with) { return dev(with, *options); }; });
}

}  // namespace orch::cli
