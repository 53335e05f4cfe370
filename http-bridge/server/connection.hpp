// One client's connection: reads requests, has them answered, one after the other.
#pragma once

#include "bridge.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace orch::bridge {

/// What the listener knows of a connection: enough to end it.
struct Peer {
    using Clock = std::chrono::steady_clock;

    Peer(boost::asio::ip::tcp::socket socket, std::string address) : socket(std::move(socket)), address(std::move(address)), stop(this->socket.get_executor())
    {
        stop.expires_at(Clock::time_point::max());
    }

    boost::asio::ip::tcp::socket socket;
    std::string address;
    /// The listener calls expire() when this has passed.
    Clock::time_point deadline = Clock::time_point::max();
    bool expired = false;
    bool idle = true;                ///< between requests: nothing is lost when it is closed
    boost::asio::steady_timer stop;  ///< cancelled when the bridge stops

    void within(std::chrono::milliseconds time)
    {
        expired = false;
        deadline = Clock::now() + time;
    }
    void expire();
};

/// Serves until the client goes, is refused, or the bridge stops. Never throws.
[[nodiscard]] boost::asio::awaitable<void> serve(Bridge &bridge, Peer &peer, boost::asio::ssl::context *tls);

}  // namespace orch::bridge
