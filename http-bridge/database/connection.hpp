// One connection of libpq on the loop: never blocks, always in pipeline mode.
#pragma once

#include "database/error.hpp"
#include "database/rows.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace orch::bridge {

/// One server of a database URL, to be tried by itself: libpq's own way through several hosts knows no time-out when it does not block.
struct Place {
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string name;     ///< host:port, for logs: the URL may hold a password
    std::string resolve;  ///< a host name to look up first, since libpq would block on it
};

/// Throws DatabaseError where the URL is none.
[[nodiscard]] std::vector<Place> places_of(const std::string &url);

class DatabaseConnection {
public:
    using Clock = std::chrono::steady_clock;

    explicit DatabaseConnection(boost::asio::any_io_executor executor) : socket_(std::move(executor)) {}
    ~DatabaseConnection();
    DatabaseConnection(const DatabaseConnection &) = delete;
    DatabaseConnection &operator=(const DatabaseConnection &) = delete;

    /// Whoever owns it calls interrupt() when this has passed.
    Clock::time_point deadline = Clock::time_point::max();
    Clock::time_point idle_since{};

    [[nodiscard]] boost::asio::awaitable<void> open(const Place &place);

    struct Step {
        Statement statement;
        bool sync = false;  ///< ends an implicit transaction after it
    };
    using Outcome = std::variant<std::monostate, Rows, DatabaseError>;  ///< nothing where an earlier step failed
    /// Sends all steps in one write, the last one ends with a sync, and reads their outcomes. Throws where the connection breaks.
    [[nodiscard]] boost::asio::awaitable<std::vector<Outcome>> exchange(std::vector<Step> steps);

    /// Whether it can be lent out: no exchange was left half done, and the server has not hung up.
    [[nodiscard]] bool usable();
    void interrupt();

private:
    boost::asio::awaitable<void> wait(boost::asio::posix::descriptor_base::wait_type what);
    boost::asio::awaitable<void> flush();
    void follow_socket();
    [[noreturn]] void broken(const char *what);

    PGconn *connection_ = nullptr;
    boost::asio::posix::stream_descriptor socket_;
    bool interrupted_ = false;
    bool busy_ = false;
};

}  // namespace orch::bridge
