#include "duration.hpp"
#include "session.hpp"

#include "orch/worker.hpp"

#include <spdlog/spdlog.h>

#include <csignal>
#include <memory>

namespace orch::cli {
namespace {

struct worker_choices {
    std::vector<std::string> queues, handlers;
    int concurrency = 4;
    std::string secrets_dir, id, lease_time, drain = "30s", grace = "5s", until_idle, log = "info";
    bool stop_when_idle = false;
};

worker *running = nullptr;  // for the signal handler

void log_line(log_level level, const std::string &text)
{
    constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    // One line an entry, whatever a server or a task put into it.
    std::string line;
    for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    spdlog::log(levels[static_cast<int>(level)], "{}", line);
}

int work(session &with, const worker_choices &chosen)
{
    worker_options options{.database = with.database, .id = chosen.id, .concurrency = chosen.concurrency, .lease_time = chosen.lease_time, .log = log_line};
    if (!chosen.queues.empty()) options.queues = chosen.queues;
    options.drain = duration(chosen.drain);
    options.grace = duration(chosen.grace);
    if (chosen.stop_when_idle) options.until_idle = chosen.until_idle.empty() ? std::chrono::seconds(1) : duration(chosen.until_idle);
    const auto serves = [&](const char *name) { return chosen.handlers.empty() || std::ranges::find(chosen.handlers, name) != chosen.handlers.end(); };
    options.commands = serves(":command");
    options.http = serves(":http");
    options.secrets_dir = chosen.secrets_dir;
    spdlog::set_level(spdlog::level::from_str(chosen.log));

    worker worker(std::move(options));
    if (serves("noop")) worker.handler("noop", noop_handler);
    if (serves("flaky")) worker.handler("flaky", flaky_handler);
    running = &worker;
    struct sigaction action {};
    action.sa_handler = [](int) { running->stop(); };
    for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    worker.run();
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, SIG_IGN);
    return done;
}

}  // namespace

void add_worker(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<worker_choices>();
    auto *command = app.add_subcommand("worker", "Run tasks: commands, http requests, and the drill handlers noop and flaky");
    command->add_option("--queue", options->queues, "serve this queue [default]; may be repeated");
    command->add_option("--handler", options->handlers, "serve only this of :command, :http, noop, flaky; may be repeated")
        ->check(CLI::IsMember({":command", ":http", "noop", "flaky"}));
    command->add_option("--concurrency", options->concurrency, "tasks at once [4]")->check(CLI::Range(1, 1000));
    command->add_option("--worker,--name", options->id, "its id, unique among living workers [host:pid:chance]");
    command->add_option("--drain", options->drain, "how long running tasks may go on after SIGTERM [30s]")->check(is_duration());
    command->add_option("--grace", options->grace, "from SIGTERM to SIGKILL for a command that must stop [5s]")->check(is_duration());
    command->add_option("--lease-time", options->lease_time, "how long the engine waits for a sign of life, as a PostgreSQL interval");
    command->add_flag("--until-idle,--once", options->stop_when_idle, "stop when there was nothing to do for a while");
    command->add_option("--idle-time", options->until_idle, "that while [1s]")->check(is_duration());
    command->add_option("--secrets-dir", options->secrets_dir, "where a file NAME holds {{ secrets.NAME }}, unless ORCH_SECRET_NAME is set")
        ->envname("ORCH_SECRETS_DIR");
    command->add_option("--log", options->log, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    command->footer("SIGTERM: lease no more, end what runs, give the rest back. A second one: kill, give back, stop at once.");
    command->callback([&chosen, options] { chosen = [options](session &with) { return work(with, *options); }; });
}

}  // namespace orch::cli
