#pragma once

#include "access/authenticator.hpp"
#include "database/pool.hpp"
#include "options.hpp"
#include "work/polls.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>

namespace orch::bridge {

class Hub;
class Meters;
class SpanExporter;

/// What all requests share: nothing that another replica would not have as well.
struct Bridge {
    explicit Bridge(Options options);
    ~Bridge();

    Options options;
    boost::asio::io_context loop{1};
    boost::asio::thread_pool threads{2};  ///< for what would hold the loop up: large bodies
    Pool pool;                            ///< for all that is quick
    Pool waits;                           ///< for what sleeps in the database
    Polls polls;                          ///< of workers that wait for work
    std::unique_ptr<Authenticator> authenticator;
    std::unique_ptr<Meters> meters;
    std::unique_ptr<Hub> hub;  ///< of all streams of events
    std::unique_ptr<SpanExporter> spans;
    bool stopping = false;
};

}  // namespace orch::bridge
