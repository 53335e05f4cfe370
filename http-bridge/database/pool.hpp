// Connections to the database, on the loop. A request borrows one for a round trip; none is held while nobody asks.
#pragma once

#include "access/principal.hpp"
#include "database/error.hpp"
#include "database/rows.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace orch::bridge {

class Connection;

class Pool {
public:
    struct Settings {
        std::string url;
        size_t size = 10;                                 ///< connections at most
        std::chrono::milliseconds connect_time{3000};     ///< for one host
        std::chrono::milliseconds patience{5000};         ///< for a connection to be free
        std::chrono::milliseconds statement_time{30000};  ///< 57014 after that
    };

    Pool(boost::asio::any_io_executor executor, Settings settings);
    ~Pool();
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    /// One transaction as the principal's role and tenant, in one round trip. Tried once more where it lost a race (40001, 40P01).
    [[nodiscard]] boost::asio::awaitable<Rows> run(const Principal &principal, std::string sql, Params params = {});
    /// The same for several statements, all or none.
    [[nodiscard]] boost::asio::awaitable<std::vector<Rows>> run_all(const Principal &principal, std::vector<Statement> statements);
    /// One that refuses to be inside a transaction block: orch.lease, orch.exchange. In a transaction nevertheless, that of the pipeline, so that role and
    /// tenant go with it, whatever connection of a pooler comes next.
    [[nodiscard]] boost::asio::awaitable<Rows> run_outside_block(const Principal &principal, std::string sql, Params params);
    /// Each statement by itself, in the role for the session: procedures that sleep. `time` is the most that one may take. Not through a pooler.
    [[nodiscard]] boost::asio::awaitable<std::vector<Rows>> run_alone(const Principal &principal, std::vector<Statement> statements,
                                                                      std::chrono::milliseconds time);
    /// As the bridge's own role, in a transaction of its own: what finds out who asks.
    [[nodiscard]] boost::asio::awaitable<Rows> run_as_bridge(std::string sql, Params params = {});

    struct Status {
        size_t connections, busy, waiting;
        bool away;  ///< the last attempt to connect failed
    };
    [[nodiscard]] Status status() const;
    /// Whether a caller would get a connection without waiting.
    [[nodiscard]] bool has_room() const;
    /// Ends all that is under way: whoever waits gets a DatabaseError.
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace orch::bridge
