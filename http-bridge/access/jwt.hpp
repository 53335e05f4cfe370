// JSON Web Tokens, signed with RS256 or ES256 and nothing else. No input or output here: text, keys and the time go in.
#pragma once

#include "core/json.hpp"

#include <openssl/evp.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace orch::bridge {

enum class JwtAlgorithm { rs256, es256 };

struct JwtKey {
    std::string id;  ///< empty where the issuer gives it none
    JwtAlgorithm algorithm;
    std::shared_ptr<EVP_PKEY> key;
};

/// The keys of a JSON Web Key Set that verify such signatures; others are left out.
[[nodiscard]] std::vector<JwtKey> keys_of_set(const core::Json &set);

/// What is wrong with a token: a few words that hold nothing of it.
struct BadJwt : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A token taken apart, and not believed yet.
struct Jwt {
    std::string signed_part, signature;
    JwtAlgorithm algorithm = JwtAlgorithm::rs256;
    std::string key_id;  ///< empty where it names none
    core::Json claims;
};

/// Throws BadJwt for what is none, and for every algorithm but the two.
[[nodiscard]] Jwt parse_jwt(std::string_view text);

/// The key that it was signed with, by its name; the only one that fits where it names none.
[[nodiscard]] const JwtKey *key_for(const Jwt &jwt, const std::vector<JwtKey> &keys);
[[nodiscard]] bool is_signed_by(const Jwt &jwt, const JwtKey &key);

struct JwtExpectations {
    std::string issuer, audience;
    std::chrono::seconds leeway{60};
};
struct JwtSubject {
    std::string name;
    std::chrono::system_clock::time_point expires;
};
/// Throws BadJwt where issuer, audience, times or subject are not as they have to be.
[[nodiscard]] JwtSubject check_claims(const core::Json &claims, const JwtExpectations &expected, std::chrono::system_clock::time_point now);

/// A claim by its name, or by the way to it where its name is none: realm_access.roles.
[[nodiscard]] const core::Json *claim_at(const core::Json &claims, const std::string &name);

}  // namespace orch::bridge
