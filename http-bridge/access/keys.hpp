// The keys of an issuer: found by discovery, fetched beside the loop, kept, and fetched again for a key that is not among them, once a minute at most.
#pragma once

#include "access/jwt.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace orch::bridge {

struct Bridge;

class IssuerKeys {
public:
    explicit IssuerKeys(std::string issuer) : issuer_(std::move(issuer)) {}

    using Keys = std::shared_ptr<const std::vector<JwtKey>>;
    /// Those that are known, fetched where there are none or they have become old; nullptr where the issuer cannot be reached and never could.
    [[nodiscard]] boost::asio::awaitable<Keys> known(Bridge &bridge);
    /// For a key that is not among them: fetched again, unless that was tried within the last minute.
    [[nodiscard]] boost::asio::awaitable<Keys> newest(Bridge &bridge);

private:
    using Clock = std::chrono::steady_clock;
    [[nodiscard]] boost::asio::awaitable<void> fetch(Bridge &bridge);

    std::string issuer_;
    Keys keys_;
    Clock::time_point fetched_{}, tried_{}, looked_again_{};
    std::unique_ptr<boost::asio::steady_timer> under_way_;  ///< cancelled when the fetch that it stands for is over
};

}  // namespace orch::bridge
