#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

// For a pooler such as PgBouncer between a program and the server. In transaction mode it gives the server's connection away after each transaction: nothing
// of a session lasts, and what sleeps in the server would keep a connection that others wait for.

namespace orch {

/// A URL or `key=value` string as libpq takes it, and what libpq does not know of it.
struct database_url {
    /// Throws orch::error (22023) where `pooled` is neither 1 nor 0.
    explicit database_url(const std::string &given);

    std::string text;
    std::optional<bool> pooled{};  ///< `pooled=1`: a pooler gives connections away between transactions.

    /// Whether libpq has a choice. What is no list of options is the name of a database.
    [[nodiscard]] bool names_several_hosts() const;
};

inline constexpr std::string_view pooler_found = "a pooler stands before the server: where it gives connections away between transactions, say so (pooled=1 in "
                                                 "the URL), or each worker that waits holds one "
                                                 "of its connections to the server; pooled=0 says that it does not";

/// Between looks where nothing can be waited in: 100 ms at first, at most 2 s, at random.
class pauses {
public:
    [[nodiscard]] std::chrono::milliseconds next()
    {
        const auto least = std::exchange(least_, std::min(least_ * 2, std::chrono::milliseconds(1000)));
        return least + std::chrono::milliseconds(dice_() % static_cast<unsigned>(least.count()));
    }
    void begin_anew() { least_ = std::chrono::milliseconds(100); }

private:
    std::chrono::milliseconds least_{100};
    std::minstd_rand dice_{std::random_device{}()};
};

}  // namespace orch
