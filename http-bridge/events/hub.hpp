// One session of the database follows the feed for all streams of this bridge. What came lately is kept for them, within bounds: who is behind that reads pages
// from the database until he has caught up, at his own pace and on the pool's connections, so nobody waits for him.
#pragma once

#include "access/principal.hpp"
#include "database/pool.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace orch::bridge {

struct Bridge;

/// An array of texts as PostgreSQL reads it.
[[nodiscard]] std::string array_of(const std::vector<std::string> &texts);

/// One event as it goes to a reader, and what decides whether it does.
struct FeedEvent {
    int64_t pos;
    std::string tenant, workflow, run_id, kind;
    std::string text;  ///< JSON
};

/// Which events a stream shows. Empty fields let everything through.
struct EventFilter {
    std::string tenant;
    std::string run, workflow;
    std::vector<std::string> kinds;

    [[nodiscard]] bool lets_through(const FeedEvent &event) const;
};

class Hub {
public:
    explicit Hub(Bridge &bridge);

    /// A stream while it is open. Its owner waits on `news`, which is cancelled when there is more to read, or when it has to end.
    class Reader {
    public:
        Reader(Hub &hub, Principal principal, std::string since);
        ~Reader();
        Reader(const Reader &) = delete;
        Reader &operator=(const Reader &) = delete;

        boost::asio::steady_timer news;
        bool ended = false;  ///< its token was revoked or has expired

    private:
        friend class Hub;
        Principal principal_;
        std::string since_;
        // Shared, since a stream that the loop's end takes down outlives the hub.
        std::shared_ptr<std::list<Reader *>> all_;
        std::list<Reader *>::iterator place_;
    };

    /// Whether everything behind `after` is kept here.
    [[nodiscard]] bool reaches_back_to(int64_t after) const { return began_ && after >= kept_from_; }
    /// What is kept behind `after`, moved on to the last that was looked at; at most about `bytes`.
    [[nodiscard]] std::vector<std::shared_ptr<const FeedEvent>> after(int64_t &after, const EventFilter &filter, size_t bytes) const;

    struct Status {
        size_t streams, events, bytes;
        uint64_t read;                     ///< events, since the start
        bool following;                    ///< or nobody listens
        std::chrono::milliseconds behind;  ///< since when the database has not answered
    };
    [[nodiscard]] Status status() const;
    void stop();

private:
    boost::asio::awaitable<void> follow();
    boost::asio::awaitable<void> read_once();
    boost::asio::awaitable<int64_t> end_of_feed();
    boost::asio::awaitable<int> read_some();
    boost::asio::awaitable<void> watch_tokens();
    void keep(FeedEvent event);
    void wake_readers();

    Bridge &bridge_;
    Pool pool_;
    boost::asio::steady_timer pause_;
    std::shared_ptr<std::list<Reader *>> readers_ = std::make_shared<std::list<Reader *>>();
    std::deque<std::shared_ptr<const FeedEvent>> events_;
    size_t bytes_ = 0;
    uint64_t read_ = 0;
    int64_t kept_from_ = 0;  ///< everything behind this position and up to read_to_ is in events_
    int64_t read_to_ = 0;
    bool began_ = false, following_ = false, watching_ = false, stopped_ = false;
    std::chrono::steady_clock::time_point answered_{};
};

}  // namespace orch::bridge
