#pragma once

#include "orch/connection.hpp"
#include "orch/pooler.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orch::cli {

/// What a command ends with; anything else is an exception.
enum exit_code { done = 0, refused = 1, usage = 2, run_failed = 3, not_reachable = 4 };

/// The options before every command, and the connection that is opened at first use.
class session {
public:
    std::string database;
    bool as_json = false;
    bool through_pooler = false;  // --pooled

    rows query(const std::string &sql, const parameters &values = {});
    void close() { connection_.reset(); }
    /// As --pooled or the URL says.
    [[nodiscard]] bool pooled() const { return through_pooler || database_url(database).pooled.value_or(false); }
    /// It has been worth while: the next pause is a short one.
    void found_news() { between_looks_.begin_anew(); }
    /// Calls a procedure that sleeps in the server. Behind a pooler it pauses in its place, up to `most` and longer each time; the caller looks again.
    void wait_in(const std::string &call, const parameters &values, std::chrono::milliseconds most = std::chrono::minutes(10));

    /// Runs `call` until it is not thrown out by a lost connection; what is lost is opened again with a growing pause, for up to two minutes.
    void persistently(const std::function<void()> &call);

    /// The rows of a query, as one JSON array or as a table of visible text.
    void print(const std::string &sql, const parameters &values = {}, const std::string &if_empty = {});
    /// The same for a query of one row, as a JSON object or as `name  value` lines.
    void print_one(const std::string &sql, const parameters &values);
    void write(const std::string &text) const;

private:
    std::optional<connection> connection_;
    pauses between_looks_;
};

using action = std::function<int(session &)>;

/// Each adds its commands to the app; the one that was chosen puts its action into `chosen`.
void add_worker(CLI::App &app, action &chosen);
void add_definitions(CLI::App &app, action &chosen);
void add_trigger(CLI::App &app, action &chosen);
void add_runs(CLI::App &app, action &chosen);
void add_events(CLI::App &app, action &chosen);
void add_dead_letters(CLI::App &app, action &chosen);
void add_watch(CLI::App &app, action &chosen);
void add_logs(CLI::App &app, action &chosen);
void add_top(CLI::App &app, action &chosen);
void add_signals(CLI::App &app, action &chosen);
void add_smoke(CLI::App &app, action &chosen);
void add_dev(CLI::App &app, action &chosen);
void add_help(CLI::App &app, action &chosen);

/// A file's bytes; `-` is standard input. Throws orch::error (58P01) with the system's reason.
[[nodiscard]] std::string read_file(const std::string &name);

/// Checks that an option is a duration.
[[nodiscard]] CLI::Validator is_duration();

[[nodiscard]] bool final_state(std::string_view run_state);

}  // namespace orch::cli
