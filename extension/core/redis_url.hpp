// Where a Redis is: redis://[[user]:password@]host[:port][/database], or unix://[[user]:password@]/path/of/socket[?db=number].
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace orch::core {

struct RedisUrl {
    std::string host;  // empty: the socket at `path`
    int port = 6379;
    std::string path;
    std::string user, password;
    int database = 0;

    /// For people and logs: without user and password.
    std::string place() const;
};

/// Nothing where the text is no such URL; `wrong` then says why, without repeating the text, which may hold a password.
std::optional<RedisUrl> parse_redis_url(std::string_view text, std::string &wrong);

}  // namespace orch::core
