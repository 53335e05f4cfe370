#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace orch {

struct http_request {
    std::string method = "GET";
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<std::string> body;
    bool follow = false;  // redirects, a few of them
};

struct http_answer {
    int status = 0;
    std::map<std::string, std::string, std::less<>> headers;  // names in lower case, repeated ones joined by ", "
    std::string body;
    double retry_after_seconds = 0;
};

struct transfer_limits {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    std::stop_token stop;
    size_t max_body = size_t{1} << 20;
    bool refuse_private = false;  // addresses that are not public; whoever names a host may make its name mean anything
};

/// Makes a request and waits for its answer, in the calling thread. Throws task_error where no whole answer came: timeout, cancelled, transient, validation.
[[nodiscard]] http_answer make_request(const http_request &request, const transfer_limits &limits);

/// The host that a URL names, for messages: the rest of a URL may be nobody's business. Throws task_error (validation) for what is no http or https URL.
[[nodiscard]] std::string host_of(const std::string &url);

}  // namespace orch
