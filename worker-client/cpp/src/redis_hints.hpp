#pragma once

#include "orch/worker.hpp"

#include "redis/link.hpp"

#include <chrono>
#include <random>
#include <set>

namespace orch {

/// Waits in Redis for a hint that there is work, without a connection to the database. A hint is taken by one reader of its stream and acknowledged as it is read: it
/// is no truth, so losing it costs the time until the next look. Never blocks: the loop polls its socket and calls pump.
class redis_hints {
public:
    using clock = std::chrono::steady_clock;
    using time = clock::time_point;
    using say = std::function<void(log_level, const std::string &)>;

    /// `look`: how long to rest without a look at the database while hints cannot be had; twelve times as long while they can. Throws orch::error for a URL that is none.
    redis_hints(const std::string &url, std::chrono::milliseconds look, say tell);

    /// What worker_rest answered: the worker rests from here on. Without streams no hints are sent.
    void begin(std::vector<std::string> streams, int64_t at, time now);
    void end();
    [[nodiscard]] bool resting() const noexcept { return resting_; }
    /// The longest rest, for the engine to know when the worker is overdue.
    [[nodiscard]] std::chrono::milliseconds longest_rest() const noexcept;
    /// Whether the last rest ended by a hint, and not because it was time to look.
    [[nodiscard]] bool hinted() const noexcept { return hinted_; }

    /// Does what can be done without waiting. True: look at the database now.
    [[nodiscard]] bool pump(time now);
    [[nodiscard]] int socket() const noexcept { return link_ && resting_ ? link_->socket() : -1; }
    [[nodiscard]] bool wants_write() const noexcept { return link_ && link_->wants_write(); }
    /// When to call pump at the latest.
    [[nodiscard]] time next() const noexcept;

private:
    enum class asked { group, read };

    [[nodiscard]] std::chrono::milliseconds relaxed() const noexcept;
    void go_away(std::string why, time now);  // by value: the link, which goes, may own it
    void ask(time now);
    void answered(const redis::Reply &reply, time now);
    [[nodiscard]] bool fresh(const redis::Reply &reply);
    void refuse_schema(int64_t newer);
    [[nodiscard]] std::chrono::milliseconds spread(std::chrono::milliseconds length);

    core::RedisUrl url_;
    std::chrono::milliseconds look_;
    say say_;
    std::unique_ptr<redis::Link> link_;
    std::vector<std::string> streams_;
    std::set<std::string> grouped_;  // streams that have our group, as far as we know
    std::vector<asked> asked_;       // commands in flight
    int64_t at_ = 0;
    bool resting_ = false, hinted_ = false, greeted_ = false;
    std::string last_trouble_;
    std::chrono::milliseconds pause_{100};
    time look_at_, retry_at_, patience_ends_;
    std::mt19937 dice_{std::random_device{}()};
};

}  // namespace orch
