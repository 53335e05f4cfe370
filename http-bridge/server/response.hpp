#pragma once

#include "server/request.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace orch::bridge {

/// The open end of an answer that goes on for as long as its handler likes.
class Sink {
public:
    virtual ~Sink() = default;
    /// Sends the text as a chunk. False when the peer is gone: the stream is to return.
    [[nodiscard]] virtual boost::asio::awaitable<bool> write(std::string_view text) = 0;
};

/// Runs until it returns, or until it is cancelled (asio's cancellation): by the peer's leaving, or by the bridge's stop.
using Stream = std::function<boost::asio::awaitable<void>(Sink &)>;

struct Response {
    int status = 200;
    Headers headers;
    std::string body;
    Stream stream;         ///< instead of a body
    std::string farewell;  ///< the last chunk of a stream that the bridge's stop ends

    Response() = default;
    explicit Response(int status) : status(status) {}

    Response &with(std::string name, std::string value) &
    {
        headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    Response &&with(std::string name, std::string value) &&
    {
        headers.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }
};

[[nodiscard]] inline Response json_response(std::string text, int status = 200)
{
    Response response(status);
    response.headers.emplace_back("Content-Type", "application/json");
    response.body = std::move(text);
    return response;
}

[[nodiscard]] inline Response text_response(std::string text, std::string content_type = "text/plain; charset=utf-8")
{
    Response response;
    response.headers.emplace_back("Content-Type", std::move(content_type));
    response.body = std::move(text);
    return response;
}

[[nodiscard]] inline Response empty_response() { return Response(204); }

}  // namespace orch::bridge
