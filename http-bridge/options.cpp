#include "options.hpp"

#include "orch/error.hpp"
#include "orch/pooler.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <span>

namespace orch::bridge {

namespace {

/// An option that is also ORCH_BRIDGE_NAME and a line of the file.
template <class T>
CLI::Option *also_in_environment(CLI::App &app, const std::string &name, T &value, const std::string &text)
{
    std::string variable = "ORCH_BRIDGE_";
    for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return app.add_option("--" + name, value, text)->envname(variable)->capture_default_str();
}

// CLI11 asks the environment only where the file says nothing; it has to count above the file.
void take_environment(CLI::App &app, std::span<char *> arguments)
{
    for (CLI::Option *option : app.get_options([](const CLI::Option *) { return true; })) {
        const std::string variable = option->get_envname();
        const char *value = variable.empty() ? nullptr : std::getenv(variable.c_str());
        if (value == nullptr || *value == '\0') continue;
        const std::string name = option->get_name();
        const bool given =
            std::any_of(arguments.begin(), arguments.end(), [&](const std::string &argument) { return argument == name || argument.starts_with(name + "="); });
        if (given) continue;
        option->clear();
        option->add_result(std::string(value));
        option->run_callback();
    }
}

}  // namespace

std::optional<Options> read_options(int count, char **arguments, int &exit_code)
{
    Options options;
    CLI::App app{"orch-bridge: the HTTP API of orch"};
    app.set_version_flag("--version", ORCH_VERSION);
    // A file that only the environment names is CLI11's default one, which it does not miss where it is not there.
    const char *file = std::getenv("ORCH_BRIDGE_CONFIG");
    if (file != nullptr && *file != '\0' && !std::ifstream(file)) {
        std::cerr << "orch-bridge: the file \"" << file << "\" of ORCH_BRIDGE_CONFIG cannot be read\n";
        exit_code = 2;
        return std::nullopt;
    }
    app.set_config("--config", file == nullptr ? "" : file,
                   "a file of lines NAME = VALUE (TOML): every option by its name without the dashes (Env:ORCH_BRIDGE_CONFIG)");
    app.allow_config_extras(CLI::config_extras_mode::error);

    app.add_option("--database", options.database, "PostgreSQL URL or key=value string; several hosts follow a failover. Without it the PG* variables")
        ->envname("ORCH_DATABASE_URL");
    also_in_environment(
        app, "direct-database", options.direct_database,
        "the same past the pooler, for what waits in the database, where --database has pooled=1: a pooler in transaction mode stands before it");
    also_in_environment(app, "listen", options.listen, "ADDRESS:PORT to listen at; port 0 takes a free one")->delimiter(',');
    also_in_environment(app, "certificate", options.certificate, "file with the TLS certificate and its chain (PEM); HTTPS instead of HTTP");
    also_in_environment(app, "key", options.key, "file with the certificate's private key (PEM), where it is not in the same file");
    also_in_environment(app, "database-connections", options.database_connections, "connections to the database at most")->check(CLI::Range(1, 1000));
    also_in_environment(app, "waits", options.waits, "requests that may sleep in the database at once, each on a connection of its own")
        ->check(CLI::Range(1, 1000));
    also_in_environment(app, "deliveries", options.deliveries, "notifications sent at once; 0 leaves them to other bridges and workers")
        ->check(CLI::Range(0, 1000));
    app.add_flag("--refuse-private-addresses", options.refuse_private_addresses, "send no notification to a loopback, link-local or private address")
        ->envname("ORCH_BRIDGE_REFUSE_PRIVATE_ADDRESSES");
    also_in_environment(app, "max-connections", options.max_connections, "clients at once")->check(CLI::Range(1, 1000000));
    also_in_environment(app, "max-connections-per-address", options.max_connections_per_address, "clients at once from one address")
        ->check(CLI::Range(1, 1000000));

    struct Time {
        const char *name;
        std::chrono::milliseconds *value;
        const char *text;
        double seconds = 0;
    };
    std::vector<Time> times = {
        {"header-time", &options.header_time, "seconds for the header of a request to come"},
        {"body-time", &options.body_time, "seconds for its body to come"},
        {"idle-time", &options.idle_time, "seconds that a connection may do nothing"},
        {"write-time", &options.write_time, "seconds for an answer, or a piece of a stream, to be taken"},
        {"statement-time", &options.statement_time, "seconds that a statement may take in the database"},
        {"keep-alive", &options.keep_alive, "seconds after which a quiet stream of events gets a comment, and its token is looked at"},
        {"stop-time", &options.stop_time, "seconds that requests may go on after SIGTERM"},
    };
    for (Time &time : times) {
        time.seconds = static_cast<double>(time.value->count()) / 1000;
        also_in_environment(app, time.name, time.seconds, time.text)->check(CLI::Range(0.1, 86400.0));
    }
    also_in_environment(app, "cors-origin", options.cors_origins, "an origin (https://example.org) whose pages may call; repeatable")->delimiter(',');
    also_in_environment(app, "otlp-endpoint", options.otlp_endpoint,
                        "URL of an OpenTelemetry collector (OTLP over HTTP) that gets runs and attempts as spans; headers by OTEL_EXPORTER_OTLP_HEADERS");
    also_in_environment(app, "share", options.share, "folder of the files for browsers; ../share/orch/bridge beside the program's own unless given");
    also_in_environment(app, "log-level", options.log_level, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    also_in_environment(app, "trusted-proxy", options.trusted_proxies,
                        "a proxy, or a network of them (10.0.0.0/8), whose X-Forwarded-For is believed; repeatable")
        ->delimiter(',');
    also_in_environment(app, "oidc-issuer", options.oidc_issuer, "URL of an OpenID Connect issuer whose tokens (JWT, RS256 or ES256) are taken");
    also_in_environment(app, "oidc-audience", options.oidc_audience, "the audience that they must have");
    also_in_environment(app, "oidc-role-claim", options.oidc_role_claim, "the claim that says the role: viewer, operator, worker or admin; a.b is b inside a");
    also_in_environment(app, "oidc-tenant-claim", options.oidc_tenant_claim,
                        "the claim that says the tenant; without this option all are of the tenant \"default\"");
    app.add_flag("--routes", options.print_routes, "print the routes as lines of JSON, and end");

    try {
        app.parse(count, arguments);
        take_environment(app, {arguments, static_cast<size_t>(count)});
    } catch (const CLI::ParseError &wrong) {
        exit_code = app.exit(wrong) == 0 ? 0 : 2;
        return std::nullopt;
    }
    for (const Time &time : times) *time.value = std::chrono::milliseconds(static_cast<long>(time.seconds * 1000));
    try {
        if (options.direct_database.empty() && orch::database_url(options.database).pooled.value_or(false)) {
            std::cerr << "orch-bridge: --database is behind a pooler (pooled=1), where nothing can wait: --direct-database has to say how the server itself is "
                         "reached\n";
            exit_code = 2;
            return std::nullopt;
        }
    } catch (const orch::error &wrong) {
        std::cerr << "orch-bridge: --database: " << wrong.what() << '\n';
        exit_code = 2;
        return std::nullopt;
    }
    if (options.direct_database.empty()) options.direct_database = options.database;
    if (options.certificate.empty() && !options.key.empty()) {
        std::cerr << "orch-bridge: --key needs --certificate\n";
        exit_code = 2;
        return std::nullopt;
    }
    return options;
}

}  // namespace orch::bridge
