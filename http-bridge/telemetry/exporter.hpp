// Sends spans to a collector. Of several bridges one does, under an advisory lock of the database; how far it has come is a row there, so that another goes on
// behind it.
// While the collector is away nothing is kept here but a position.
#pragma once

#include "database/pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace orch::bridge {

struct Bridge;

class SpanExporter {
public:
    explicit SpanExporter(Bridge &bridge);

    /// Does nothing where no endpoint is given.
    void start();
    void stop();

    struct Status {
        bool wanted, exporting;
        uint64_t sent, dropped, failures;  ///< spans, spans that the collector refused, requests that failed
    };
    [[nodiscard]] Status status() const { return {!endpoint_.empty(), exporting_, sent_, dropped_, failures_}; }

private:
    boost::asio::awaitable<void> run();
    boost::asio::awaitable<bool> is_ours();
    boost::asio::awaitable<void> export_more();
    boost::asio::awaitable<void> send(std::string body, size_t count);
    boost::asio::awaitable<int> post(std::string body);
    boost::asio::awaitable<void> pause(std::chrono::milliseconds time);

    Bridge &bridge_;
    std::string endpoint_;
    std::vector<std::string> headers_;
    Pool pool_;
    boost::asio::thread_pool thread_{1};
    boost::asio::steady_timer timer_;
    std::atomic<bool> stopped_ = false;
    int64_t position_ = -1;
    bool exporting_ = false;
    uint64_t sent_ = 0, dropped_ = 0, failures_ = 0;
};

}  // namespace orch::bridge
