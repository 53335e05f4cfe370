#pragma once

#include "bridge.hpp"
#include "server/connection.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace orch::bridge {

/// Accepts connections within the limits, ends those that are past their deadlines, and all of them at the stop.
class Listener {
public:
    /// Throws std::system_error where an address cannot be bound, or the certificate cannot be read.
    explicit Listener(Bridge &bridge);

    [[nodiscard]] std::vector<std::string> addresses() const;
    void start();
    /// Accepts no more and closes what is idle; `done` is called when the last connection has ended, or after Options::stop_time.
    void stop(std::function<void()> done);

private:
    boost::asio::awaitable<void> accept(boost::asio::ip::tcp::acceptor &acceptor);
    boost::asio::awaitable<void> serve_one(std::list<Peer>::iterator peer);
    boost::asio::awaitable<void> turn_away(boost::asio::ip::tcp::socket socket);
    void sweep();
    void look_for_end();

    Bridge &bridge_;
    std::optional<boost::asio::ssl::context> tls_;
    std::list<boost::asio::ip::tcp::acceptor> acceptors_;
    std::list<Peer> peers_;
    std::unordered_map<std::string, size_t> by_address_;
    boost::asio::steady_timer sweeper_;
    size_t turned_away_ = 0;
    std::function<void()> done_;
    Peer::Clock::time_point stop_by_ = Peer::Clock::time_point::max();
};

}  // namespace orch::bridge
