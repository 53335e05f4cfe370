#pragma once

#include "access/principal.hpp"
#include "server/request.hpp"
#include "server/response.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>

namespace orch::bridge {

struct Bridge;

/// What an authenticator says of a request that it lets through.
struct Admission {
    Principal principal;
    Headers headers;  ///< for the answer, whatever it will be: RateLimit-*
};

/// Finds out who asks. Throws a Problem: 401 for nobody that it knows, 429 for one who asks too often.
class Authenticator {
public:
    virtual ~Authenticator() = default;
    [[nodiscard]] virtual boost::asio::awaitable<Admission> admit(Bridge &bridge, const Request &request) = 0;
    /// For a route that asks for no token: counts the request against its address. Throws a Problem, 429.
    [[nodiscard]] virtual boost::asio::awaitable<Headers> admit_anybody(Bridge &bridge, const Request &request) = 0;
};

/// Throws std::invalid_argument for options that cannot be.
[[nodiscard]] std::unique_ptr<Authenticator> make_authenticator(const struct Options &options);

}  // namespace orch::bridge
