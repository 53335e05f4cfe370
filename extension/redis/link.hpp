// One connection to Redis that never waits: its owner sleeps on the socket, calls pump, and takes replies. Knows neither PostgreSQL nor a clock; the notifier in the server and the
// workers' client library both use it. hiredis opens the socket and reads the protocol; the bytes are sent from here, since hiredis writes in a way that raises SIGPIPE.
#pragma once

#include "core/redis_url.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace orch::redis {

struct Reply {
    enum class Kind : uint8_t { nil, text, number, list, error };
    Kind kind = Kind::nil;
    std::string text;  // of an error: Redis' own words
    int64_t number = 0;
    std::vector<Reply> list;
};

class Link {
public:
    /// Begins to connect; the name of a host is looked up at once, which may take as long as the resolver does.
    explicit Link(const core::RedisUrl &url);
    ~Link();
    Link(const Link &) = delete;
    Link &operator=(const Link &) = delete;

    /// -1 once it is broken.
    int socket() const noexcept;
    bool wants_write() const noexcept { return !unsent_.empty(); }

    /// Sends and reads what the socket takes and has.
    void pump();

    /// Whether Redis has let us in.
    bool open() const noexcept { return broken_.empty() && greetings_ == 0; }

    /// Why it is over; empty while it is not.
    const std::string &broken() const noexcept { return broken_; }

    void command(const std::vector<std::string> &words);

    /// The next reply to a command, in the order of sending; nothing while none has come.
    std::optional<Reply> reply();

    /// Commands that have not been answered, those of the greeting included.
    int unanswered() const noexcept { return unanswered_; }

private:
    struct Closer {
        void operator()(redisContext *context) const noexcept;
    };
    void break_off(std::string why);
    std::optional<Reply> next_reply();
    void greet(const core::RedisUrl &url);
    void take_greetings();

    std::unique_ptr<redisContext, Closer> context_;
    std::string unsent_, broken_;
    int greetings_ = 0;
    int unanswered_ = 0;
};

}  // namespace orch::redis
