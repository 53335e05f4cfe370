#pragma once

#include "server/request.hpp"

#include <boost/asio/ip/network_v6.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

/// The proxies whose X-Forwarded-For is believed: addresses and networks, those of IPv4 as mapped ones.
class TrustedProxies {
public:
    /// Throws std::invalid_argument for what is neither an address nor ADDRESS/LENGTH.
    explicit TrustedProxies(const std::vector<std::string> &texts);
    [[nodiscard]] bool trusts(const std::string &address) const;

private:
    std::vector<boost::asio::ip::network_v6> networks_;
};

/// Whom a request without a token counts for: the peer, or behind trusted proxies whoever the last of them saw. Of an IPv6 address only its network of 64 bits, which is one household.
[[nodiscard]] std::string counted_address(const Request &request, const TrustedProxies &proxies);

}  // namespace orch::bridge
