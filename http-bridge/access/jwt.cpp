#include "access/jwt.hpp"

#include "core/encoding.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

namespace orch::bridge {

namespace {

constexpr size_t largest_token = 16 << 10;
constexpr int least_rsa_bits = 2048;
constexpr size_t p256_bytes = 32;

template <auto free_it>
struct FreeWith {
    template <class T>
    void operator()(T *thing) const
    {
        free_it(thing);
    }
};
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using KeyParameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

std::string text_of(const core::Json &object, std::string_view name)
{
    const core::Json *value = core::member(object, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string bytes_of(const core::Json &object, std::string_view name) { return core::from_base64(text_of(object, name), core::Base64::url).value_or(""); }

const unsigned char *unsigned_bytes(const std::string &bytes) { return reinterpret_cast<const unsigned char *>(bytes.data()); }

std::shared_ptr<EVP_PKEY> made_key(const char *type, OSSL_PARAM_BLD *builder)
{
    const KeyParameters parameters(OSSL_PARAM_BLD_to_param(builder));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY *key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return nullptr;
    return {key, EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> rsa_key(const core::Json &jwk)
{
    const std::string n = bytes_of(jwk, "n"), e = bytes_of(jwk, "e");
    if (n.empty() || e.empty() || n.size() > 2048) return nullptr;
    const Number modulus(BN_bin2bn(unsigned_bytes(n), static_cast<int>(n.size()), nullptr)),
        exponent(BN_bin2bn(unsigned_bytes(e), static_cast<int>(e.size()), nullptr));
    const Builder builder(OSSL_PARAM_BLD_new());
    if (!modulus || !exponent || BN_num_bits(modulus.get()) < least_rsa_bits ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
        return nullptr;
    return made_key("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> p256_key(const core::Json &jwk)
{
    const std::string x = bytes_of(jwk, "x"), y = bytes_of(jwk, "y");
    if (text_of(jwk, "crv") != "P-256" || x.size() != p256_bytes || y.size() != p256_bytes) return nullptr;
    const std::string point = "\x04" + x + y;
    const Builder builder(OSSL_PARAM_BLD_new());
    if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
        return nullptr;
    return made_key("EC", builder.get());
}

core::Json decoded_object(std::string_view part, const char *what)
{
    const auto bytes = core::from_base64(part, core::Base64::url);
    if (!bytes) throw BadJwt(std::string(what) + " is no base64url");
    auto parsed = core::parse(*bytes, {.max_depth = 16, .exact_integers = false});
    auto *value = std::get_if<core::Json>(&parsed);
    if (value == nullptr || !value->is_object()) throw BadJwt(std::string(what) + " is no JSON object");
    return std::move(*value);
}

// r and s as they are sent, each of 32 bytes, into the form that OpenSSL wants.
std::string der_of(const std::string &signature)
{
    if (signature.size() != 2 * p256_bytes) return {};
    const EcSignature pair(ECDSA_SIG_new());
    BIGNUM *r = BN_bin2bn(unsigned_bytes(signature), p256_bytes, nullptr), *s = BN_bin2bn(unsigned_bytes(signature) + p256_bytes, p256_bytes, nullptr);
    if (ECDSA_SIG_set0(pair.get(), r, s) != 1) return {};
    unsigned char *der = nullptr;
    const int length = i2d_ECDSA_SIG(pair.get(), &der);
    if (length <= 0) return {};
    std::string bytes(reinterpret_cast<char *>(der), static_cast<size_t>(length));
    OPENSSL_free(der);
    return bytes;
}

std::optional<std::chrono::system_clock::time_point> moment_of(const core::Json &claims, std::string_view name)
{
    const core::Json *value = core::member(claims, name);
    if (value == nullptr) return std::nullopt;
    constexpr double latest = 253402300800;  // of the year 10000: no sum overflows
    if (!value->is_number()) throw BadJwt(std::string(name) + " is no time");
    const double seconds = value->get<double>();
    if (!(seconds >= 0 && seconds <= latest)) throw BadJwt(std::string(name) + " is no time");
    return std::chrono::system_clock::time_point(std::chrono::seconds(static_cast<int64_t>(seconds)));
}

bool is_for(const core::Json &claims, const std::string &audience)
{
    const core::Json *value = core::member(claims, "aud");
    if (value == nullptr) return false;
    if (value->is_string()) return value->get_ref<const std::string &>() == audience;
    return value->is_array() &&
           std::any_of(value->begin(), value->end(), [&](const core::Json &one) { return one.is_string() && one.get_ref<const std::string &>() == audience; });
}

}  // namespace

std::vector<JwtKey> keys_of_set(const core::Json &set)
{
    std::vector<JwtKey> keys;
    const core::Json *list = core::member(set, "keys");
    if (list == nullptr || !list->is_array()) return keys;
    for (const core::Json &jwk : *list) {
        if (!jwk.is_object()) continue;
        const std::string type = text_of(jwk, "kty"), use = text_of(jwk, "use"), algorithm = text_of(jwk, "alg");
        if (!use.empty() && use != "sig") continue;
        const bool rsa = type == "RSA" && (algorithm.empty() || algorithm == "RS256"), ec = type == "EC" && (algorithm.empty() || algorithm == "ES256");
        if (!rsa && !ec) continue;
        if (auto key = rsa ? rsa_key(jwk) : p256_key(jwk))
            keys.push_back({text_of(jwk, "kid"), rsa ? JwtAlgorithm::rs256 : JwtAlgorithm::es256, std::move(key)});
    }
    return keys;
}

Jwt parse_jwt(std::string_view text)
{
    if (text.size() > largest_token) throw BadJwt("it is too long");
    const auto first = text.find('.'), last = text.rfind('.');
    if (first == text.npos || first == last || text.find('.', first + 1) != last) throw BadJwt("it has not three parts");
    const core::Json header = decoded_object(text.substr(0, first), "its header");
    // What would have to be understood and is not, RFC 7515 says, is refused. Keys that a token brings along are never looked at.
    if (core::member(header, "crit") != nullptr) throw BadJwt("its header asks for extensions");
    Jwt jwt;
    const std::string algorithm = text_of(header, "alg");
    if (algorithm == "RS256") jwt.algorithm = JwtAlgorithm::rs256;
    else if (algorithm == "ES256") jwt.algorithm = JwtAlgorithm::es256;
    else throw BadJwt("it is signed neither with RS256 nor with ES256");
    if (const core::Json *name = core::member(header, "kid"); name != nullptr && !name->is_string()) throw BadJwt("the name of its key is no text");
    jwt.key_id = text_of(header, "kid");
    jwt.signed_part = text.substr(0, last);
    jwt.signature = core::from_base64(text.substr(last + 1), core::Base64::url).value_or("");
    if (jwt.signature.empty()) throw BadJwt("it has no signature");
    jwt.claims = decoded_object(text.substr(first + 1, last - first - 1), "its body");
    return jwt;
}

const JwtKey *key_for(const Jwt &jwt, const std::vector<JwtKey> &keys)
{
    const JwtKey *found = nullptr;
    for (const JwtKey &key : keys) {
        if (key.algorithm != jwt.algorithm || (!jwt.key_id.empty() && key.id != jwt.key_id)) continue;
        if (found != nullptr) return nullptr;
        found = &key;
    }
    return found;
}

bool is_signed_by(const Jwt &jwt, const JwtKey &key)
{
    if (key.algorithm != jwt.algorithm) return false;
    const std::string signature = jwt.algorithm == JwtAlgorithm::es256 ? der_of(jwt.signature) : jwt.signature;
    const DigestContext context(EVP_MD_CTX_new());
    return !signature.empty() && context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.key.get()) == 1 &&
           EVP_DigestVerify(context.get(), unsigned_bytes(signature), signature.size(), unsigned_bytes(jwt.signed_part), jwt.signed_part.size()) == 1;
}

JwtSubject check_claims(const core::Json &claims, const JwtExpectations &expected, std::chrono::system_clock::time_point now)
{
    if (text_of(claims, "iss") != expected.issuer) throw BadJwt("another issuer made it");
    if (!is_for(claims, expected.audience)) throw BadJwt("it is for another audience");
    const auto expires = moment_of(claims, "exp"), begins = moment_of(claims, "nbf"), made = moment_of(claims, "iat");
    if (!expires) throw BadJwt("it has no end");
    if (now >= *expires + expected.leeway) throw BadJwt("it has expired");
    if ((begins && now + expected.leeway < *begins) || (made && now + expected.leeway < *made)) throw BadJwt("it does not count yet");
    JwtSubject subject{text_of(claims, "sub"), *expires};
    const bool good = !subject.name.empty() && subject.name.size() <= 255 &&
                      std::none_of(subject.name.begin(), subject.name.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (!good) throw BadJwt("it names nobody");
    return subject;
}

const core::Json *claim_at(const core::Json &claims, const std::string &name)
{
    if (const core::Json *whole = core::member(claims, name)) return whole;
    const core::Json *at = &claims;
    for (size_t begin = 0; at != nullptr && begin <= name.size();) {
        const size_t dot = std::min(name.find('.', begin), name.size());
        at = core::member(*at, name.substr(begin, dot - begin));
        begin = dot + 1;
    }
    return at;
}

}  // namespace orch::bridge
