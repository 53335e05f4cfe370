#include "orch/payloads.hpp"

#include "orch/error.hpp"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace orch {
namespace {

namespace files = std::filesystem;

std::string sha256(std::string_view bytes)
{
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) throw task_error("unknown", "sha256", "no SHA-256 to be had");
    std::string text;
    for (const auto byte : digest) {
        constexpr char digits[] = "0123456789abcdef";
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

task_error foreign(const std::string &uri) { return {"validation", "foreign_payload", uri + " does not lie in this store"}; }

bool is_only(const json &value, const char *key) { return value.is_object() && value.size() == 1 && value.contains(key); }

std::string from_environment(const std::string &given, const char *name)
{
    const char *value = given.empty() ? std::getenv(name) : nullptr;
    return value ? value : given;
}

}  // namespace

directory_store::directory_store(const std::string &directory) : root_(files::absolute(directory).lexically_normal().string())
{
    if (root_.size() > 1 && root_.back() == '/') root_.pop_back();
}

std::string directory_store::put(const std::string &key, std::string_view bytes)
{
    const auto path = files::path(root_) / key;
    files::create_directories(path.parent_path());
    // Whole or not at all, whoever reads it meanwhile.
    auto temporary = path;
    temporary += "." + std::to_string(std::random_device{}());
    {
        std::ofstream file(temporary, std::ios::binary);
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        if (!file.flush()) throw task_error("resource", "no_space", "cannot write " + temporary.string());
    }
    files::rename(temporary, path);
    return "file://" + path.string();
}

std::string directory_store::get(const std::string &uri)
{
    const auto path = files::path(uri.starts_with("file://") ? uri.substr(7) : "").lexically_normal().string();
    if (!path.starts_with(root_ + "/")) throw foreign(uri);
    std::ifstream file(path, std::ios::binary);
    if (!file) throw task_error("transient", "payload_missing", "cannot read " + uri);
    return {std::istreambuf_iterator<char>(file), {}};
}

s3_store::s3_store(s3_options options) : options_(std::move(options))
{
    options_.access_key = from_environment(options_.access_key, "AWS_ACCESS_KEY_ID");
    options_.secret_key = from_environment(options_.secret_key, "AWS_SECRET_ACCESS_KEY");
    while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
}

std::string s3_store::put(const std::string &key, std::string_view bytes)
{
    request("PUT", options_.prefix + key, bytes);
    return "s3://" + options_.bucket + "/" + options_.prefix + key;
}

std::string s3_store::get(const std::string &uri)
{
    const auto own = "s3://" + options_.bucket + "/" + options_.prefix;
    if (!uri.starts_with(own) || uri.find("..") != uri.npos) throw foreign(uri);
    return request("GET", uri.substr(own.size() - options_.prefix.size()), {});
}

std::string s3_store::request(const std::string &method, const std::string &key, std::string_view body)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), curl_easy_cleanup);
    if (!handle) throw task_error("resource", "no_curl", "libcurl gives no handle");
    const auto hash = "x-amz-content-sha256: " + sha256(body);
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(curl_slist_append(nullptr, hash.c_str()), curl_slist_free_all);
    curl_slist_append(headers.get(), "Content-Type: application/octet-stream");
    curl_slist_append(headers.get(), "Expect:");
    const auto url = options_.endpoint + "/" + options_.bucket + "/" + key;
    const auto signature = "aws:amz:" + options_.region + ":s3", user = options_.access_key + ":" + options_.secret_key;
    std::string answer;
    char why[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_AWS_SIGV4, signature.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_USERPWD, user.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, why);
    if (method == "PUT") {
        curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, body.data());
    }
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(
        handle.get(), CURLOPT_WRITEFUNCTION, +[](char *bytes, size_t size, size_t count, void *into) {
            static_cast<std::string *>(into)->append(bytes, size * count);
            return size * count;
        });
    const auto done = curl_easy_perform(handle.get());
    if (done != CURLE_OK)
        throw task_error("transient", "store_unreachable", "the payload store does not answer: " + std::string(*why ? why : curl_easy_strerror(done)));
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2) return answer;
    throw task_error(status == 429 || status / 100 == 5 ? "transient" : "validation", "store_refused",
                     "the payload store answered " + std::to_string(status) + " to " + method + " of " + key);
}

json payloads::encode(json value, const std::string &place) const
{
    if (codec_.encode) value = {{"$orch_codec", codec_.encode(value)}};
    if (!store_) return value;
    const auto bytes = value.dump();
    if (bytes.size() <= inline_limit_) return value;
    const auto hash = sha256(bytes);
    return {{"$orch_ref", {{"uri", store_->put(place + "/" + hash + ".json", bytes)}, {"size", bytes.size()}, {"sha256", hash}}}};
}

json payloads::decode(json value) const
{
    if (!codec_.decode || !value.is_structured()) return value;
    if (is_only(value, "$orch_codec")) return codec_.decode(value["$orch_codec"]);
    for (auto &part : value) part = decode(std::move(part));
    return value;
}

json payloads::load(const json &value) const
{
    if (!is_only(value, "$orch_ref")) return value;
    const auto &reference = value["$orch_ref"];
    const std::string uri = reference.at("uri");
    if (!store_) throw task_error("validation", "no_store", "there is no store set up to read " + uri + " from");
    const auto bytes = store_->get(uri);
    if (bytes.size() != reference.at("size") || sha256(bytes) != reference.at("sha256").get<std::string>())
        throw task_error("validation", "payload_damaged", uri + " is not what was stored: its size or its hash is another");
    return decode(json::parse(bytes));
}

json payloads::encode_error(json error) const
{
    if (!codec_.encode) return error;
    json hidden{{"message", error.value("message", json())}, {"detail", error.value("detail", json())}, {"traceback", error.value("traceback", json())}};
    error.erase("traceback");
    error["message"] = "encoded";
    error["detail"] = {{"$orch_codec", codec_.encode(hidden)}};
    return error;
}

json payloads::decode_error(json error) const
{
    if (!codec_.decode || !error.is_object() || !is_only(error.value("detail", json()), "$orch_codec")) return error;
    error.update(codec_.decode(error["detail"]["$orch_codec"]));
    return error;
}

}  // namespace orch
