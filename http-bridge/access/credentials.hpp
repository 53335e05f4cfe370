// One kind of credentials: a small class each, made in authenticator.cpp.
#pragma once

#include "access/authenticator.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace orch::bridge {

/// What came behind `Bearer `, and the address that it counts for where it is no good.
struct Shown {
    std::string_view text;
    std::string address;
};

class Credentials {
public:
    virtual ~Credentials() = default;
    /// Whether they are of this kind, by their look; the first kind that says so is asked.
    [[nodiscard]] virtual bool takes(std::string_view text) const = 0;
    [[nodiscard]] virtual boost::asio::awaitable<Admission> admit(Bridge &bridge, Shown shown) = 0;
};

/// Tokens of orch.create_token.
[[nodiscard]] std::unique_ptr<Credentials> token_credentials();
/// JWTs of the issuer that the options name.
[[nodiscard]] std::unique_ptr<Credentials> oidc_credentials(const Options &options);

/// What orch.admit answers.
struct Answered {
    std::string status;
    Principal principal;
    Headers headers;  ///< RateLimit-*, and Retry-After where the status is limited
};
struct Question {
    std::optional<std::string> token_hash;  ///< in hexadecimal digits
    std::optional<std::string> address;
    std::optional<std::string> subject;
};
/// Asks the database, which counts the request. Throws a Problem, 429, where it is limited.
[[nodiscard]] boost::asio::awaitable<Answered> ask_database(Bridge &bridge, Question question);

/// 401, with the rates that the database told. `error` is a word of RFC 6750, empty where no credentials were shown.
[[nodiscard]] class Problem refusal(std::string code, std::string title, std::string_view error, Headers headers);

}  // namespace orch::bridge
