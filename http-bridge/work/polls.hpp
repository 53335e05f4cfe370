// Workers that wait for work, and have no session for it: one session of the bridge waits for all of them.
//
// A poll asks orch.worker_waits to let that session wait for its worker, and sleeps. The session calls orch.await_workers again and again, and is told which workers may find work;
// those polls wake and lease. Should the session break, every poll looks for work by itself and asks again.
#pragma once

#include "access/principal.hpp"
#include "database/pool.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace orch::bridge {

struct Bridge;

class Polls {
public:
    using Clock = std::chrono::steady_clock;

    Polls(boost::asio::any_io_executor executor, Pool::Settings settings);
    ~Polls();

    /// Until there may be work for the worker, or something to tell it; false where the time is over first.
    [[nodiscard]] boost::asio::awaitable<bool> wait(Bridge &bridge, const Principal &principal, std::string worker, Clock::time_point until);

    [[nodiscard]] size_t waiting() const;
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace orch::bridge
