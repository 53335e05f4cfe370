#include "access/keys.hpp"

#include "bridge.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <curl/curl.h>
#include <spdlog/spdlog.h>

namespace orch::bridge {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto keys_age = 1h;  // a key that the issuer has withdrawn counts no longer
constexpr auto again_for_unknown = 60s;
constexpr auto again_after_failure = 5s;
constexpr size_t largest_document = 1 << 20;

struct Unreachable : std::runtime_error {
    using std::runtime_error::runtime_error;
};

size_t take(char *data, size_t size, size_t count, void *into)
{
    auto &text = *static_cast<std::string *>(into);
    if (text.size() + size * count > largest_document) return 0;
    text.append(data, size * count);
    return size * count;
}

// Not over a line that anybody could write on, but to this machine itself.
bool is_safe(const std::string &url)
{
    if (url.starts_with("https://")) return true;
    for (const std::string_view host : {"http://127.0.0.1", "http://[::1]", "http://localhost"})
        if (url.starts_with(host) && (url.size() == host.size() || url[host.size()] == ':' || url[host.size()] == '/')) return true;
    return false;
}

core::Json get_document(const std::string &url)
{
    if (!is_safe(url)) throw Unreachable(url + " is neither https nor this machine");
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), curl_easy_cleanup);
    std::string text;
    curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(handle.get(), CURLOPT_USERAGENT, "orch-bridge/" ORCH_VERSION);
    if (const CURLcode code = curl_easy_perform(handle.get()); code != CURLE_OK) throw Unreachable(url + ": " + curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) throw Unreachable(url + " answers " + std::to_string(status));
    auto parsed = core::parse(text, {.exact_integers = false});
    auto *value = std::get_if<core::Json>(&parsed);
    if (value == nullptr || !value->is_object()) throw Unreachable(url + " is no JSON object");
    return std::move(*value);
}

std::string text_member(const core::Json &document, std::string_view name)
{
    const core::Json *value = core::member(document, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::vector<JwtKey> fetch_keys(const std::string &issuer)
{
    const std::string base = issuer.ends_with('/') ? issuer.substr(0, issuer.size() - 1) : issuer;
    const core::Json discovered = get_document(base + "/.well-known/openid-configuration");
    if (text_member(discovered, "issuer") != issuer) throw Unreachable(issuer + " calls itself otherwise in its configuration");
    std::vector<JwtKey> keys = keys_of_set(get_document(text_member(discovered, "jwks_uri")));
    if (keys.empty()) throw Unreachable(issuer + " has no key for RS256 or ES256");
    return keys;
}

}  // namespace

asio::awaitable<void> IssuerKeys::fetch(Bridge &bridge)
{
    boost::system::error_code ignored;
    if (under_way_) {
        co_await under_way_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        co_return;
    }
    tried_ = Clock::now();
    under_way_ = std::make_unique<asio::steady_timer>(bridge.loop, Clock::time_point::max());
    // Whatever becomes of the request that fetches, others wait for it.
    struct Over {
        std::unique_ptr<asio::steady_timer> &timer;
        ~Over()
        {
            timer->cancel();
            timer.reset();
        }
    } over{under_way_};
    const auto beside = [](std::string issuer) -> asio::awaitable<Keys> {
        try {
            co_return std::make_shared<const std::vector<JwtKey>>(fetch_keys(issuer));
        } catch (const std::exception &error) {
            spdlog::warn("the keys of the issuer cannot be fetched: {}", error.what());
        }
        co_return nullptr;
    };
    Keys fetched = co_await asio::co_spawn(bridge.threads.get_executor(), beside(issuer_), asio::use_awaitable);
    if (fetched) {
        keys_ = std::move(fetched);
        fetched_ = Clock::now();
    }
}

asio::awaitable<IssuerKeys::Keys> IssuerKeys::known(Bridge &bridge)
{
    const auto now = Clock::now();
    const bool fresh = keys_ && now < fetched_ + keys_age;
    if (!fresh && (under_way_ || now >= tried_ + again_after_failure)) co_await fetch(bridge);
    co_return keys_;
}

asio::awaitable<IssuerKeys::Keys> IssuerKeys::newest(Bridge &bridge)
{
    const auto now = Clock::now();
    if (under_way_) co_await fetch(bridge);
    else if (looked_again_ == Clock::time_point() || now >= looked_again_ + again_for_unknown) {
        looked_again_ = now;
        co_await fetch(bridge);
    }
    co_return keys_;
}

}  // namespace orch::bridge
