#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orch::bridge {

/// What the command line, the environment and the configuration file say; options.cpp has a line for each.
struct Options {
    std::string database;
    std::string direct_database;  ///< the same without the pooler, for what sleeps there or keeps a session; `database` where no pooler stands before that
    std::vector<std::string> listen{"127.0.0.1:8080"};
    std::string certificate, key;  ///< of TLS, in files; plain HTTP without them

    size_t database_connections = 10;
    size_t waits = 20;  ///< requests that may wait in the database at once: Prefer: wait, long polls of workers
    size_t max_connections = 4096;
    size_t max_connections_per_address = 1024;
    std::chrono::milliseconds header_time{10000}, body_time{60000}, idle_time{60000}, write_time{30000};
    std::chrono::milliseconds statement_time{30000}, stop_time{20000};

    std::chrono::milliseconds keep_alive{15000};  ///< between the comments that an idle stream of events gets
    std::string otlp_endpoint;                    ///< where spans go; nowhere without it
    int deliveries = 8;                           ///< notifications sent at once; 0: others send them
    bool refuse_private_addresses = false;        ///< of receivers of notifications

    std::vector<std::string> cors_origins;
    std::string share;  ///< the folder of the files that are served; empty: ../share/orch/bridge of the program's own
    std::string log_level = "info";
    bool print_routes = false;

    // Access.
    std::vector<std::string> trusted_proxies;
    std::string oidc_issuer, oidc_audience, oidc_role_claim = "orch_role", oidc_tenant_claim;
};

/// Exits by itself for --help, --version and mistakes: nullopt with the code to exit with.
[[nodiscard]] std::optional<Options> read_options(int count, char **arguments, int &exit_code);

}  // namespace orch::bridge
