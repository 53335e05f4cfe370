#pragma once

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

// Values that are too large for the database, or that it should not be able to read; docs/payloads.md has the format, which all clients share.

namespace orch {

using json = nlohmann::json;

/// Where large values are kept. It reads nothing but what lies in its own place. Used by several threads at once.
class payload_store {
public:
    virtual ~payload_store() = default;
    virtual std::string put(const std::string &key, std::string_view bytes) = 0;  ///< Returns the URI.
    virtual std::string get(const std::string &uri) = 0;
};

/// A directory that all workers and clients see, under one path.
class directory_store : public payload_store {
public:
    explicit directory_store(const std::string &directory);
    std::string put(const std::string &key, std::string_view bytes) override;
    std::string get(const std::string &uri) override;

private:
    std::string root_;
};

struct s3_options {
    std::string endpoint{};  ///< `https://s3.eu-central-1.amazonaws.com`, or what is compatible with it; the bucket goes into the path.
    std::string bucket{};
    std::string region{"us-east-1"};
    std::string prefix{};      ///< Before each key, `payloads/` say.
    std::string access_key{};  ///< Empty: AWS_ACCESS_KEY_ID of the environment.
    std::string secret_key{};  ///< Empty: AWS_SECRET_ACCESS_KEY of the environment.
};

/// An S3-compatible object store; requests are signed (SigV4).
class s3_store : public payload_store {
public:
    explicit s3_store(s3_options options);
    std::string put(const std::string &key, std::string_view bytes) override;
    std::string get(const std::string &uri) override;

private:
    std::string request(const std::string &method, const std::string &key, std::string_view body);
    s3_options options_;
};

/// Hides values from the database, an encryption say. Used by several threads at once.
struct payload_codec {
    std::function<json(const json &)> encode{};
    std::function<json(const json &)> decode{};
};

/// What a worker or client does with values on their way: worker_options::payloads, client::payloads. A reference `{"$orch_ref": ...}` stays one until `load`.
class payloads {
public:
    explicit payloads(std::shared_ptr<payload_store> store, payload_codec codec = {}, size_t inline_limit = size_t{1} << 20)
        : store_(std::move(store)), codec_(std::move(codec)), inline_limit_(inline_limit)
    {
    }

    /// What to keep in the database; `place` is where in the store a large one goes.
    [[nodiscard]] json encode(json value, const std::string &place) const;
    /// The value that was encoded, at any depth; references stay.
    [[nodiscard]] json decode(json value) const;
    /// What a reference stands for; any other value as it is. Throws task_error: foreign_payload, payload_damaged, no_store.
    [[nodiscard]] json load(const json &value) const;
    /// Class and code stay readable, since retries go by them.
    [[nodiscard]] json encode_error(json error) const;
    [[nodiscard]] json decode_error(json error) const;

private:
    std::shared_ptr<payload_store> store_;
    payload_codec codec_;
    size_t inline_limit_;
};

}  // namespace orch
