#include "transfer.hpp"

#include "orch/error.hpp"

#include <curl/curl.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>

namespace orch {
namespace {

using namespace std::chrono_literals;

constexpr int most_redirects = 5;
constexpr size_t max_headers = size_t{64} << 10;
constexpr auto connect_timeout = 10s;

template <auto function>
struct calls {
    template <class T>
    void operator()(T *handle) const
    {
        function(handle);
    }
};
using easy_handle = std::unique_ptr<CURL, calls<curl_easy_cleanup>>;
using multi_handle = std::unique_ptr<CURLM, calls<curl_multi_cleanup>>;
using header_list = std::unique_ptr<curl_slist, calls<curl_slist_free_all>>;
using url_handle = std::unique_ptr<CURLU, calls<curl_url_cleanup>>;

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return out;
}

struct origin {
    std::string scheme, host, port;
    bool operator==(const origin &) const = default;
};

origin origin_of(const std::string &url)
{
    const url_handle parsed(curl_url());
    const auto wrong = [&](const std::string &why) { return task_error("validation", "invalid_url", "the URL is refused: " + why); };
    if (const auto failure = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0); failure != CURLUE_OK) throw wrong(curl_url_strerror(failure));
    const auto part = [&](CURLUPart which, unsigned flags) {
        char *text = nullptr;
        if (curl_url_get(parsed.get(), which, &text, flags) != CURLUE_OK) return std::string();
        std::string copy(text);
        curl_free(text);
        return copy;
    };
    origin found{lower(part(CURLUPART_SCHEME, 0)), lower(part(CURLUPART_HOST, 0)), part(CURLUPART_PORT, CURLU_DEFAULT_PORT)};
    if (found.scheme != "http" && found.scheme != "https") throw wrong("it is neither http nor https");
    return found;
}

bool is_public(uint32_t address)
{
    struct block {
        uint32_t start;
        int bits;
    };
    // Of IANA's registry, those that are not globally reachable.
    constexpr block blocks[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24},
                                {0xC0000200, 24}, {0xC0A80000, 16}, {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 3}};
    return std::ranges::none_of(blocks, [&](const block &b) { return (address ^ b.start) >> (32 - b.bits) == 0; });
}

bool is_public(const sockaddr &address)
{
    if (address.sa_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &address, sizeof four);
        return is_public(ntohl(four.sin_addr.s_addr));
    }
    if (address.sa_family != AF_INET6) return false;
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    const auto *bytes = six.sin6_addr.s6_addr;
    const auto inner = [&](int at) { return static_cast<uint32_t>(bytes[at]) << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]; };
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return is_public(inner(12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_public(inner(2));  // 6to4
    if (inner(0) == 0x0064FF9B) return is_public(inner(12));               // NAT64
    return (bytes[0] & 0xE0) == 0x20 && inner(0) != 0x20010DB8;            // 2000::/3 is what is global
}

/// One exchange of a request for an answer.
class transfer {
public:
    transfer(const http_request &request, const transfer_limits &limits)
        : limits_(limits), host_(host_of(request.url)), easy_(curl_easy_init()), multi_(curl_multi_init())
    {
        set(CURLOPT_URL, request.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "http,https");
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::chrono::milliseconds(connect_timeout).count()));
        set(CURLOPT_ACCEPT_ENCODING, "");
        set(CURLOPT_USERAGENT, "orch/" ORCH_VERSION);
        set(CURLOPT_ERRORBUFFER, why_);
        // As curl's own command does: certificates of one's own beside, or in place of, those of the system.
        if (const char *file = std::getenv("SSL_CERT_FILE")) set(CURLOPT_CAINFO, file);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_WRITEFUNCTION, static_cast<curl_write_callback>([](char *bytes, size_t, size_t count, void *self) {
                return static_cast<transfer *>(self)->take_body({bytes, count});
            }));
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_HEADERFUNCTION, static_cast<curl_write_callback>([](char *bytes, size_t, size_t count, void *self) {
                return static_cast<transfer *>(self)->take_header({bytes, count});
            }));
        if (limits.refuse_private) {
            set(CURLOPT_NOPROXY, "*");
            set(CURLOPT_OPENSOCKETDATA, this);
            set(CURLOPT_OPENSOCKETFUNCTION, static_cast<curl_opensocket_callback>([](void *self, curlsocktype, curl_sockaddr *address) -> curl_socket_t {
                    if (is_public(address->addr)) return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
                    static_cast<transfer *>(self)->was_private_ = true;
                    return CURL_SOCKET_BAD;
                }));
        }
        set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
        if (request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
        if (request.body) {
            set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
            set(CURLOPT_POSTFIELDS, request.body->c_str());
        }
        add_header("Expect:");  // no asking beforehand whether a large body may come
        if (!request.body && request.method != "GET" && request.method != "HEAD") add_header("Content-Length: 0");
        for (const auto &[name, value] : request.headers) add_header(value.empty() ? name + ";" : name + ": " + value);
        set(CURLOPT_HTTPHEADER, headers_.get());
    }

    http_answer run()
    {
        {
            const std::stop_callback on_stop(limits_.stop, [this] { curl_multi_wakeup(multi_.get()); });
            curl_multi_add_handle(multi_.get(), easy_.get());
            try {
                wait();
            } catch (...) {
                curl_multi_remove_handle(multi_.get(), easy_.get());
                throw;
            }
            curl_multi_remove_handle(multi_.get(), easy_.get());
        }
        long status = 0;
        curl_off_t seconds = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
        answer_.status = static_cast<int>(status);
        answer_.retry_after_seconds = static_cast<double>(seconds);
        return std::move(answer_);
    }

    /// Where the answer sends us, or an empty text.
    std::string redirected_to() const
    {
        const char *url = nullptr;
        curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &url);
        return url ? url : "";
    }

private:
    template <class T>
    void set(CURLoption option, T value)
    {
        if (const auto failure = curl_easy_setopt(easy_.get(), option, value); failure != CURLE_OK)
            throw task_error("infrastructure", "http_client", std::string("the HTTP library refuses an option: ") + curl_easy_strerror(failure));
    }

    void add_header(const std::string &line)
    {
        auto *list = curl_slist_append(headers_.get(), line.c_str());
        if (!list) throw std::bad_alloc();
        (void)headers_.release();
        headers_.reset(list);
    }

    void wait()
    {
        for (;;) {
            int running = 0, left = 0;
            curl_multi_perform(multi_.get(), &running);
            if (const auto *message = curl_multi_info_read(multi_.get(), &left)) return judge(message->data.result);
            auto pause = std::chrono::milliseconds(60'000);
            if (limits_.deadline) pause = std::min(pause, std::chrono::ceil<std::chrono::milliseconds>(*limits_.deadline - std::chrono::steady_clock::now()));
            // Its time first: the loop that watches over deadlines also stops what is over its own.
            if (pause.count() <= 0) throw task_error("timeout", "timeout", host_ + " did not answer in time");
            if (limits_.stop.stop_requested()) throw task_error("cancelled", "cancelled", "the request was told to stop");
            curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(pause.count()), nullptr);
        }
    }

    void judge(CURLcode result) const
    {
        if (result == CURLE_OK) return;
        if (too_large_)
            throw task_error("validation", "too_large", "the answer of " + host_ + " is over the limit of " + std::to_string(limits_.max_body) + " bytes");
        if (was_private_) throw task_error("validation", "private_address", host_ + " has no public address");
        const std::string why = why_[0] ? why_ : curl_easy_strerror(result);
        switch (result) {
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL: throw task_error("validation", "invalid_url", "the URL is refused: " + why);
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE: throw task_error("transient", "tls", "the certificate of " + host_ + " was not accepted: " + why);
        default: throw task_error("transient", "connection", "no answer of " + host_ + ": " + why);
        }
    }

    size_t take_body(std::string_view bytes)
    {
        if (answer_.body.size() + bytes.size() > limits_.max_body) {
            too_large_ = true;
            return 0;
        }
        answer_.body += bytes;
        return bytes.size();
    }

    size_t take_header(std::string_view line)
    {
        header_bytes_ += line.size();
        too_large_ = too_large_ || header_bytes_ > max_headers;
        if (too_large_) return 0;
        const size_t taken = line.size();
        if (line.starts_with("HTTP/")) answer_.headers.clear();  // what came before was said on the way, like 100 Continue
        const auto colon = line.find(':');
        if (colon == line.npos) return taken;
        auto value = line.substr(colon + 1);
        const auto first = value.find_first_not_of(" \t"), last = value.find_last_not_of(" \t\r\n");
        value = first == value.npos || last == value.npos ? std::string_view() : value.substr(first, last - first + 1);
        auto &all = answer_.headers[lower(line.substr(0, colon))];
        all += (all.empty() ? "" : ", ") + std::string(value);
        return taken;
    }

    const transfer_limits &limits_;
    std::string host_;
    easy_handle easy_;
    multi_handle multi_;
    header_list headers_;
    http_answer answer_;
    size_t header_bytes_ = 0;
    bool too_large_ = false, was_private_ = false;
    char why_[CURL_ERROR_SIZE] = "";
};

}  // namespace

std::string host_of(const std::string &url) { return origin_of(url).host; }

http_answer make_request(const http_request &request, const transfer_limits &limits)
{
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    http_request next = request;
    for (int redirects = 0;; ++redirects) {
        transfer one(next, limits);
        auto answer = one.run();
        const auto to = request.follow ? one.redirected_to() : std::string();
        if (to.empty()) return answer;
        if (redirects == most_redirects)
            throw task_error("validation", "redirects", host_of(request.url) + " redirects more than " + std::to_string(most_redirects) + " times");
        const auto from = origin_of(next.url), there = origin_of(to);
        if (from.scheme == "https" && there.scheme == "http")
            throw task_error("validation", "redirects", from.host + " redirects from https to http, which is refused");
        // What was meant for one host, secrets above all, is not told to another.
        if (from != there) {
            next.headers.clear();
            next.body.reset();
        }
        next.url = to;
    }
}

}  // namespace orch
