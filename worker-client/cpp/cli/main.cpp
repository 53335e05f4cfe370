#include "session.hpp"
#include "table.hpp"

#include "orch/yaml.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <clocale>
#include <csignal>
#include <iostream>

namespace {

void print_error(const orch::error &refused)
{
    using orch::cli::visible;
    std::cerr << "orch: " << visible(refused.what()) << " (" << visible(refused.code) << ")\n";
    const auto block = [](const char *label, const std::string &text) {
        for (size_t from = 0; from < text.size();) {
            const auto end = std::min(text.find('\n', from), text.size());
            std::cerr << (from == 0 ? label : "        ") << visible(std::string_view(text).substr(from, end - from)) << '\n';
            from = end + 1;
        }
    };
    block("Detail: ", refused.detail);
    block("Hint:   ", refused.hint);
}

bool unreachable(const orch::error &refused)
{
    return refused.code.starts_with("08") || refused.code == "57P03" || refused.code == "57P01" || refused.code == "57P02";
}

}  // namespace

int main(int count, char **arguments)
{
    using namespace orch::cli;
    std::setlocale(LC_CTYPE, "C.UTF-8");  // only for the widths of characters
    std::signal(SIGPIPE, SIG_DFL);
    spdlog::set_default_logger(spdlog::stderr_color_mt("orch"));

    session session;
    action chosen;
    CLI::App app{"orch: define, trigger, run and watch workflows inside PostgreSQL"};
    app.set_version_flag("--version", ORCH_VERSION);
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--database", session.database, "PostgreSQL URL or key=value string; without it ORCH_DATABASE_URL, then the PG* variables")
        ->envname("ORCH_DATABASE_URL");
    app.add_flag("--pooled", session.through_pooler,
                 "a pooler in transaction mode stands before the database: look again and again, wait for nothing there; as pooled=1 in the URL");
    app.add_flag("--json", session.as_json, "print JSON");
    app.footer("Exit codes: 0 done, 1 refused, 2 usage, 3 the run did not succeed, 4 the database cannot be reached.");
    add_definitions(app, chosen);
    add_trigger(app, chosen);
    add_runs(app, chosen);
    add_events(app, chosen);
    add_dead_letters(app, chosen);
    add_worker(app, chosen);
    add_watch(app, chosen);
    add_logs(app, chosen);
    add_top(app, chosen);
    add_signals(app, chosen);
    add_smoke(app, chosen);
    add_dev(app, chosen);
    add_help(app, chosen);

    try {
        app.parse(count, arguments);
    } catch (const CLI::ParseError &wrong) {
        return app.exit(wrong) == 0 ? done : usage;
    }
    try {
        return chosen(session);
    } catch (const orch::error &failure) {
        print_error(failure);
        return unreachable(failure) ? not_reachable : refused;
    } catch (const orch::yaml_error &wrong) {
        std::cerr << "orch: the YAML is refused: " << visible(wrong.what()) << '\n';
        return refused;
    } catch (const std::exception &unexpected) {
        std::cerr << "orch: " << visible(unexpected.what()) << '\n';
        return refused;
    }
}
