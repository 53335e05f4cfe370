#pragma once

#include "orch/error.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace orch {

/// Rows of one answer; values are PostgreSQL's text, NULL is nullopt. The views live as long as the rows.
class rows {
public:
    rows() = default;
    explicit rows(pg_result *result);

    [[nodiscard]] int size() const noexcept;
    [[nodiscard]] int columns() const noexcept;
    [[nodiscard]] std::string_view name(int column) const noexcept;
    [[nodiscard]] std::optional<std::string_view> at(int row, int column) const noexcept;
    /// By column name. Throws std::out_of_range where there is no such column.
    [[nodiscard]] std::optional<std::string_view> at(int row, const char *column) const;
    /// Like `at`, with NULL as an empty string.
    [[nodiscard]] std::string text(int row, const char *column) const { return std::string(at(row, column).value_or("")); }

private:
    friend class connection;
    std::shared_ptr<pg_result> result_;
};

/// One value for $1, $2 ...; nullopt is NULL.
using parameters = std::vector<std::optional<std::string>>;

/// One connection, used by one thread. Every call throws orch::error.
class connection {
public:
    /// Opens it: a URL or a `key=value` string of libpq (`pooled` of orch/pooler.hpp is passed over); what it leaves out comes from the PG* environment. Blocks
    /// up to connect_timeout [10 s] a host. Of several hosts it takes the one that takes writes, unless target_session_attrs says otherwise.
    explicit connection(const std::string &given);
    /// Uses one that the caller has opened and closes, and leaves its settings as they are.
    explicit connection(pg_conn *callers) : handle_(callers, closer{.callers = true}) {}

    /// Runs one statement and waits for its answer.
    rows query(const std::string &sql, const parameters &values = {});

    /// What the server says besides its answers; without a listener it is dropped. The text may come from anybody: escape it before showing it.
    void on_notice(std::function<void(std::string_view)> listener)
    {
        if (notice_) *notice_ = std::move(listener);
    }

    /// From here on statements are sent without waiting, each with a Sync of its own, so each is a transaction of its own.
    void enter_pipeline();
    void send(const std::string &sql, const parameters &values = {});

    /// Sends a few bytes that mean nothing, for a server that waits for any.
    void nudge();

    /// One statement's end, in the order of sending: its rows or its error.
    struct answer {
        rows result;
        std::optional<error> failure;
    };
    /// The next answer that has come in, or nullopt where more bytes are needed. Never blocks; throws when the connection broke.
    std::optional<answer> receive();

    /// Statements sent and not answered yet.
    [[nodiscard]] int in_flight() const noexcept { return in_flight_; }
    /// The server's process, as the other end calls it: a pooler makes that up.
    [[nodiscard]] int process() const noexcept;
    [[nodiscard]] int socket() const noexcept;
    [[nodiscard]] bool wants_write() const noexcept { return unsent_; }
    void flush();

private:
    struct closer {
        bool callers;  // who closes it
        void operator()(pg_conn *handle) const noexcept;
    };
    [[nodiscard]] error broken() const;
    [[nodiscard]] error failure_of(const pg_result *result) const;

    std::unique_ptr<pg_conn, closer> handle_;
    std::unique_ptr<std::function<void(std::string_view)>> notice_;  // has an address that stays when the connection is moved
    answer current_;
    bool unsent_ = false;
    int in_flight_ = 0;
};

}  // namespace orch
