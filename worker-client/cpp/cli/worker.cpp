#include "duration.hpp"
#include "metrics.hpp"
#include "session.hpp"
#include "table.hpp"
#include "worker_log.hpp"

#include "orch/plugins.hpp"
#include "orch/worker.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>

namespace orch::cli {
namespace {

struct worker_choices {
    std::vector<std::string> queues, handlers, plugins;
    int concurrency = 4;
    std::string secrets_dir, metrics, id, lease_time, drain = "30s", grace = "5s", until_idle, log = "info", log_format = "text", redis, redis_poll = "5s",
                                                      redis_linger = "2s";
    bool stop_when_idle = false, notifications = false, refuse_private_addresses = false;
};

worker *running = nullptr;  // for the signal handler

/// NAME or NAME=N.
struct served_name {
    std::string name;
    int concurrency = 0;
};

served_name parse_handler(const std::string &text)
{
    const auto equals = text.rfind('=');
    if (equals == text.npos) return {text, 0};
    int number = 0;
    const auto [end, failure] = std::from_chars(text.data() + equals + 1, text.data() + text.size(), number);
    if (failure != std::errc() || end != text.data() + text.size() || number < 1 || number > 1000)
        throw std::invalid_argument("\"" + text + "\" has no number from 1 to 1000 behind the =");
    if (text.starts_with(':')) throw std::invalid_argument("\"" + text + "\": an executor shares --concurrency; a number is for handlers");
    return {text.substr(0, equals), number};
}

std::vector<plugin_handler> all_handlers(const worker_choices &chosen)
{
    std::vector<plugin_handler> handlers{{"noop", noop_handler, {}}, {"flaky", flaky_handler, {}}};
    for (const auto &file : chosen.plugins)
        for (auto &handler : load_plugin(file)) {
            if (std::ranges::any_of(handlers, [&](const auto &other) { return other.name == handler.name; }))
                throw std::runtime_error("\"" + file + "\" has a handler \"" + handler.name + "\", and so has something before it");
            handlers.push_back(std::move(handler));
        }
    return handlers;
}

int work(session &with, const worker_choices &chosen)
{
    worker_options options{.database = with.database, .id = chosen.id, .concurrency = chosen.concurrency, .lease_time = chosen.lease_time};
    if (!chosen.queues.empty()) options.queues = chosen.queues;
    options.drain = duration(chosen.drain);
    options.grace = duration(chosen.grace);
    options.redis = chosen.redis;
    options.redis_poll = duration(chosen.redis_poll);
    options.redis_linger = duration(chosen.redis_linger);
    if (chosen.stop_when_idle) options.until_idle = chosen.until_idle.empty() ? std::chrono::seconds(1) : duration(chosen.until_idle);
    if (with.through_pooler) options.pooled = true;
    options.secrets_dir = chosen.secrets_dir;
    options.notifications = chosen.notifications;
    options.refuse_private_addresses = chosen.refuse_private_addresses;

    auto handlers = all_handlers(chosen);
    std::map<std::string, int> wanted;  // with a concurrency of its own, or 0
    for (const auto &text : chosen.handlers) {
        const auto served = parse_handler(text);
        const bool known =
            served.name == ":command" || served.name == ":http" || std::ranges::any_of(handlers, [&](const auto &h) { return h.name == served.name; });
        if (!known) {
            std::cerr << "orch: there is no handler \"" << visible(served.name) << "\" here; there are :command, :http";
            for (const auto &handler : handlers) std::cerr << ", " << visible(handler.name);
            std::cerr << '\n';
            return usage;
        }
        wanted[served.name] = served.concurrency;
    }
    const auto serves = [&](const std::string &name) { return wanted.empty() || wanted.contains(name); };
    options.commands = serves(":command");
    options.http = serves(":http");
    options.log = worker_log(chosen.log, chosen.log_format == "json");
    if (!chosen.metrics.empty()) options.observer = serve_metrics(chosen.metrics);

    worker worker(std::move(options));
    for (auto &handler : handlers) {
        if (!serves(handler.name)) continue;
        if (const auto found = wanted.find(handler.name); found != wanted.end() && found->second > 0) handler.options.concurrency = found->second;
        worker.handler(handler.name, std::move(handler.function), handler.options);
    }
    running = &worker;
    struct sigaction action {};
    action.sa_handler = [](int) { running->stop(); };
    for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    worker.run();
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, SIG_IGN);
    return done;
}

/// NAME=N is checked before anything is opened.
CLI::Validator is_handler()
{
    return {[](const std::string &text) {
                try {
                    (void)parse_handler(text);
                    return std::string();
                } catch (const std::invalid_argument &wrong) {
                    return std::string(wrong.what());
                }
            },
            "NAME[=N]"};
}

}  // namespace

void add_worker(CLI::App &app, action &chosen)
{
    auto options = std::make_shared<worker_choices>();
    auto *command = app.add_subcommand("worker", "Run tasks: commands, http requests, plugins, and the drill handlers noop and flaky");
    command->add_option("--queue", options->queues, "serve this queue [default]; may be repeated");
    command
        ->add_option("--handler", options->handlers,
                     "serve only this of :command, :http, noop, flaky and the plugins' handlers; may be repeated; =N gives it N tasks at once of its own")
        ->check(is_handler());
    command->add_option("--plugin", options->plugins, "a shared library with handlers (orch/plugin.h); may be repeated");
    command->add_option("--concurrency", options->concurrency, "tasks at once [4]")->check(CLI::Range(1, 1000));
    command->add_option("--worker,--name", options->id, "its id, unique among living workers [host:pid:chance]");
    command->add_option("--drain", options->drain, "how long running tasks may go on after SIGTERM [30s]")->check(is_duration());
    command->add_option("--grace", options->grace, "from SIGTERM to SIGKILL for a command that must stop [5s]")->check(is_duration());
    command->add_option("--lease-time", options->lease_time, "how long the engine waits for a sign of life, as a PostgreSQL interval");
    command->add_flag("--until-idle,--once", options->stop_when_idle, "stop when there was nothing to do for a while");
    command->add_option("--idle-time", options->until_idle, "that while [1s]")->check(is_duration());
    command->add_option("--secrets-dir", options->secrets_dir, "where a file NAME holds {{ secrets.NAME }}, unless ORCH_SECRET_NAME is set")
        ->envname("ORCH_SECRETS_DIR");
    command->add_option("--metrics-port", options->metrics, "serve counts to Prometheus at this port, or at ADDRESS:PORT, under /metrics");
    command
        ->add_option("--redis", options->redis,
                     "wait for hints there, and hold no connection meanwhile: redis://[:password@]host[:port][/database] or unix:///socket")
        ->envname("ORCH_REDIS_URL");
    command->add_option("--redis-poll", options->redis_poll, "how often to look without hints, and twelve times as long with them [5s]")->check(is_duration());
    command->add_flag("--notifications", options->notifications, "send what orch.notify_on asks for, as a bridge does");
    command->add_flag("--refuse-private-addresses", options->refuse_private_addresses, "send no notification to a loopback, link-local or private address");
    command->add_option("--redis-linger", options->redis_linger, "how long to keep the connection after the last task [2s]")->check(is_duration());
    command->add_option("--log", options->log, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    command->add_option("--log-format", options->log_format, "text, or json: an object a line, with run, task, attempt and trace")
        ->check(CLI::IsMember({"text", "json"}));
    command->footer("SIGTERM: lease no more, end what runs, give the rest back. A second one: kill, give back, stop at once.");
    command->callback([&chosen, options] { chosen = [options](session &with) { return work(with, *options); }; });
}

}  // namespace orch::cli
