// The way of a request: its header is read, its route found, the caller admitted, then its body read, then it is answered. Whoever may not, or sends what
// the route does not read, is told so before the body is read. All limits are Options'; deadlines are kept by the listener.
#include "server/connection.hpp"

#include "api/body.hpp"
#include "api/route.hpp"
#include "events/ticket.hpp"
#include "metrics/meters.hpp"
#include "server/log.hpp"
#include "server/text.hpp"
#include "server/wire.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <spdlog/spdlog.h>

namespace orch::bridge {

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;

void Peer::expire()
{
    boost::system::error_code ignored;
    if (expired) socket.close(ignored);
    else socket.cancel(ignored);
    expired = true;
    deadline = Clock::now() + 1s;
}

namespace {

constexpr uint32_t header_limit = 16 << 10;
constexpr size_t buffer_limit = 64 << 10;
/// A body that nobody wants is read and dropped up to this, so that the connection can go on.
constexpr uint64_t drop_limit = 64 << 10;
/// And of one that is still being sent when its sender has been refused, so much, so long.
constexpr size_t linger_limit = 64 << 20;
constexpr auto linger_time = 3s;

template <class Stream>
class Session {
public:
    Session(Bridge &bridge, Peer &peer, Stream &stream) : bridge_(bridge), peer_(peer), stream_(stream), buffer_(buffer_limit) {}

    asio::awaitable<void> run();

private:
    using Parser = http::request_parser<http::string_body>;

    asio::awaitable<bool> read_header(Parser &parser);
    asio::awaitable<void> read_rest(Parser &parser, const Route &route, Request &request);
    asio::awaitable<Response> answer(Parser &parser, Request &request);
    asio::awaitable<Response> ask(Parser &parser, Request &request, const Route *&route, Headers &headers);
    asio::awaitable<bool> drop_body(Parser &parser);
    asio::awaitable<bool> send(std::string_view head, std::string_view body);
    asio::awaitable<bool> send_stream(Response &response, const std::string &head, bool chunked);
    asio::awaitable<void> refuse(int status, std::string code, std::string title);
    asio::awaitable<void> hang_up();
    asio::awaitable<void> until_gone();

    class Chunks;

    Bridge &bridge_;
    Peer &peer_;
    Stream &stream_;
    beast::flat_buffer buffer_;
    bool reads_on_ = false;  ///< the body was read to its end
};

template <class Stream>
class Session<Stream>::Chunks : public Sink {
public:
    Chunks(Session &session, bool framed) : session_(session), framed_(framed) {}

    asio::awaitable<bool> write(std::string_view text) override
    {
        if (text.empty()) co_return !gone;
        const std::string before = framed_ ? chunk_head(text.size()) : std::string();
        const std::string whole = before + std::string(text) + (framed_ ? "\r\n" : "");
        const bool sent = co_await session_.send(whole, {});
        if (!sent) gone = true;
        co_return sent;
    }
    bool gone = false;

private:
    Session &session_;
    bool framed_;
};

template <class Stream>
asio::awaitable<bool> Session<Stream>::send(std::string_view head, std::string_view body)
{
    peer_.within(bridge_.options.write_time);
    boost::system::error_code failed;
    const std::array<asio::const_buffer, 2> both = {asio::buffer(head), asio::buffer(body)};
    co_await asio::async_write(stream_, both, asio::redirect_error(asio::use_awaitable, failed));
    peer_.deadline = Peer::Clock::time_point::max();
    co_return !failed;
}

// Closed with bytes unread the connection would be reset, and the answer might not arrive.
template <class Stream>
asio::awaitable<void> Session<Stream>::hang_up()
{
    boost::system::error_code failed;
    peer_.within(linger_time);
    if constexpr (!std::is_same_v<Stream, asio::ip::tcp::socket>) co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, failed));
    peer_.socket.shutdown(asio::ip::tcp::socket::shutdown_send, failed);
    std::array<char, 16384> dropped{};
    for (size_t total = 0; total < linger_limit;) {
        const size_t got = co_await peer_.socket.async_read_some(asio::buffer(dropped), asio::redirect_error(asio::use_awaitable, failed));
        if (failed) break;
        total += got;
    }
    peer_.socket.close(failed);
}

template <class Stream>
asio::awaitable<void> Session<Stream>::refuse(int status, std::string code, std::string title)
{
    Request request;
    request.id = new_request_id();
    request.peer = peer_.address;
    Problem problem(status, std::move(code), std::move(title));
    Response response = problem.response(request.id);
    const std::string head = response_head(bridge_.options, request, response, {.close = true, .length = response.body.size()});
    const bool sent = co_await send(head, response.body);
    log_access({request, "", status, response.body.size(), 0us});
    if (sent) co_await hang_up();
}

template <class Stream>
asio::awaitable<bool> Session<Stream>::read_header(Parser &parser)
{
    boost::system::error_code failed;
    parser.header_limit(header_limit);
    parser.body_limit(boost::none);
    if (buffer_.size() == 0) {
        peer_.idle = true;
        peer_.within(bridge_.options.idle_time);
        if (bridge_.stopping) co_return false;
        const auto room = buffer_.prepare(4096);
        const size_t got = co_await stream_.async_read_some(room, asio::redirect_error(asio::use_awaitable, failed));
        if (failed) co_return false;
        buffer_.commit(got);
    }
    peer_.idle = false;
    peer_.within(bridge_.options.header_time);
    co_await http::async_read_header(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failed));
    const bool too_slow = peer_.expired;
    peer_.deadline = Peer::Clock::time_point::max();
    if (!failed) co_return true;
    if (too_slow) co_await refuse(408, "header_timeout", "the header of the request did not come in time");
    else if (failed == http::error::header_limit || failed == http::error::buffer_overflow)
        co_await refuse(431, "header_too_large", "the header of the request is larger than 16 KiB");
    else if (failed == http::error::bad_version) co_await refuse(505, "http_version", "only HTTP/1.1 is spoken here");
    else if (failed.category() == make_error_code(http::error::bad_method).category() && failed != http::error::end_of_stream &&
             failed != http::error::partial_message)
        co_await refuse(400, "bad_request", "the request is no HTTP: " + failed.message());
    co_return false;
}

template <class Stream>
asio::awaitable<void> Session<Stream>::read_rest(Parser &parser, const Route &route, Request &request)
{
    boost::system::error_code failed;
    const size_t limit = route.limits.body;
    const auto too_large = [&] { return Problem(413, "body_too_large", "the body is larger than " + std::to_string(limit) + " bytes"); };
    if (const auto length = parser.content_length(); length && *length > limit) throw too_large();
    if (const std::string_view expects = request.header("Expect"); !expects.empty()) {
        if (!equal_without_case(expects, "100-continue")) throw Problem(417, "expectation", "this expectation is not met");
        if (!co_await send("HTTP/1.1 100 Continue\r\n\r\n", {})) throw Problem(400, "body_incomplete", "the body did not come");
    }
    parser.body_limit(limit);
    peer_.within(bridge_.options.body_time);
    co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failed));
    const bool too_slow = peer_.expired;
    peer_.deadline = Peer::Clock::time_point::max();
    if (failed == http::error::body_limit) throw too_large();
    if (failed && too_slow) throw Problem(408, "body_timeout", "the body of the request did not come in time");
    if (failed) throw Problem(400, "body_incomplete", "the body of the request did not come whole");
    reads_on_ = true;
    request.body = std::move(parser.get().body());
}

template <class Stream>
asio::awaitable<bool> Session<Stream>::drop_body(Parser &parser)
{
    const auto length = parser.content_length();
    // Who waits for 100 Continue has not sent it, and may or may not do so after another answer.
    if (!length || *length > drop_limit || !parser.get()["Expect"].empty()) co_return false;
    boost::system::error_code failed;
    parser.body_limit(drop_limit);
    peer_.within(bridge_.options.header_time);
    co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, failed));
    peer_.deadline = Peer::Clock::time_point::max();
    co_return !failed;
}

void require_known_query(const Route &route, const Request &request)
{
    if (route.query == std::vector<std::string_view>{"*"}) return;  // what the script of a page reads
    for (size_t i = 0; i < request.query.size(); i++) {
        const std::string &name = request.query[i].first;
        if (std::find(route.query.begin(), route.query.end(), name) == route.query.end()) {
            std::string known;
            for (const std::string_view one : route.query) known += (known.empty() ? "" : ", ") + std::string(one);
            throw Problem(400, "unknown_parameter", "this takes no parameter " + core_quoted(name))
                .hinting(known.empty() ? "It takes none at all." : "It takes " + known + ".");
        }
        if (name == "tag") continue;
        for (size_t j = 0; j < i; j++)
            if (request.query[j].first == name) throw Problem(400, "repeated_parameter", "parameter " + core_quoted(name) + " is given twice");
    }
}

template <class Stream>
asio::awaitable<Response> Session<Stream>::ask(Parser &parser, Request &request, const Route *&route, Headers &headers)
{
    read_target(request);
    if (request.method == http::verb::options) {
        const std::string allowed = request.target == "*" ? "GET, HEAD, OPTIONS" : allowed_methods(request);
        if (allowed.empty()) throw Problem(404, "unknown_path", "there is nothing at this path");
        Response response(204);
        response.with("Allow", allowed);
        add_preflight(bridge_.options, request, allowed, response);
        co_return response;
    }
    route = find_route(request);
    if (route == nullptr) {
        const std::string allowed = allowed_methods(request);
        if (allowed.empty()) throw Problem(404, "unknown_path", "there is nothing at this path").hinting("See /api/v1/openapi.json, or docs/http.md.");
        throw Problem(405, "method_not_allowed", "this path is not there for " + core_quoted(parser.get().method_string())).with("Allow", allowed);
    }
    if (route->minimum != Minimum::nobody) {
        std::optional<Admission> known;
        if (route->takes_ticket && request.parameter("ticket")) known = co_await admit_ticket(bridge_, request);
        // A ticket that is none counts like a token that is none.
        if (!known) known = co_await bridge_.authenticator->admit(bridge_, request);
        Admission &admission = *known;
        request.principal = std::move(admission.principal);
        headers = std::move(admission.headers);
    }
    require_known_query(*route, request);
    if (!parser.is_done()) {
        require_media_type(*route, request);
        co_await read_rest(parser, *route, request);
    }
    co_await read_body(bridge_, *route, request);
    for (bool again = false;; again = true) {
        try {
            Response response = co_await route->handle(bridge_, request);
            co_return response;
        } catch (const DatabaseError &error) {
            // What only reads can be asked again, of a connection that lives.
            if (!error.lost || again || bridge_.stopping || route->method != http::verb::get) throw;
        }
    }
}

template <class Stream>
asio::awaitable<Response> Session<Stream>::answer(Parser &parser, Request &request)
{
    const auto began = Peer::Clock::now();
    const Route *route = nullptr;
    Headers headers;
    Response response;
    try {
        response = co_await ask(parser, request, route, headers);
    } catch (const Problem &problem) {
        response = problem.response(request.id);
    } catch (const DatabaseError &error) {
        const Problem problem = to_problem(error);
        if (problem.status == 500) spdlog::error("{} failed by {}: {}", route == nullptr ? "a request" : route->operation_id, error.code, error.message);
        response = problem.response(request.id);
    } catch (const std::exception &error) {
        spdlog::error("{} failed: {}", route == nullptr ? "a request" : route->operation_id, error.what());
        response = Problem(500, "internal", "this is a fault of the bridge").response(request.id);
    }
    response.headers.insert(response.headers.end(), headers.begin(), headers.end());
    if (response.stream) response.headers.emplace_back("X-Accel-Buffering", "no");
    const std::string_view pattern = route == nullptr ? std::string_view() : std::string_view(route->pattern);
    const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(Peer::Clock::now() - began);
    log_access({request, pattern, response.status, response.body.size(), duration});
    bridge_.meters->count_request(http::to_string(request.method), pattern, response.status, duration);
    co_return response;
}

template <class Stream>
asio::awaitable<void> Session<Stream>::until_gone()
{
    boost::system::error_code failed;
    co_await peer_.socket.async_wait(asio::ip::tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, failed));
    if (failed || peer_.socket.available(failed) == 0) co_return;
    // It said something more, so this would tell nothing from now on: a write has to fail.
    asio::steady_timer forever(peer_.socket.get_executor(), Peer::Clock::time_point::max());
    co_await forever.async_wait(asio::redirect_error(asio::use_awaitable, failed));
}

template <class Stream>
asio::awaitable<bool> Session<Stream>::send_stream(Response &response, const std::string &head, bool chunked)
{
    using namespace asio::experimental::awaitable_operators;
    if (!co_await send(head, {})) co_return false;
    Chunks chunks(*this, chunked);
    const auto stopped = [](Peer &peer) -> asio::awaitable<void> {
        boost::system::error_code ignored;
        co_await peer.stop.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    };
    bool failed = false;
    if (!bridge_.stopping) {
        try {
            co_await (response.stream(chunks) || until_gone() || stopped(peer_));
        } catch (const std::exception &error) {
            failed = true;
        }
    }
    if (chunks.gone || failed) co_return false;
    if (bridge_.stopping && !response.farewell.empty() && !co_await chunks.write(response.farewell)) co_return false;
    if (chunked) co_await send("0\r\n\r\n", {});
    co_return chunked;
}

template <class Stream>
asio::awaitable<void> Session<Stream>::run()
{
    for (;;) {
        Parser parser;
        if (!co_await read_header(parser)) co_return;
        Request request;
        request.method = parser.get().method();
        request.target = std::string(parser.get().target());
        request.fields = parser.get().base();
        request.peer = peer_.address;
        request.id = request_id_of(request);
        request.traceparent = traceparent_of(request);
        const unsigned version = parser.get().version();
        reads_on_ = parser.is_done();

        Response response = co_await answer(parser, request);
        // A body that was not read is in the way of the next request.
        if (!reads_on_ && !parser.is_done()) reads_on_ = co_await drop_body(parser);
        const bool keeps = reads_on_ && parser.keep_alive() && !bridge_.stopping, is_head = request.method == http::verb::head;
        const bool streams = static_cast<bool>(response.stream), chunked = streams && version >= 11;
        Framing framing;
        framing.close = !keeps || (streams && !chunked);
        framing.chunked = chunked;
        if (!streams && response.status != 204 && response.status != 304) framing.length = response.body.size();
        const std::string head = response_head(bridge_.options, request, response, framing);
        bool sent = false;
        if (streams && !is_head) sent = co_await send_stream(response, head, chunked);
        else {
            const bool bare = is_head || response.status == 204 || response.status == 304;
            sent = co_await send(head, bare ? std::string_view() : std::string_view(response.body));
        }
        if (!sent) co_return;
        if (framing.close || bridge_.stopping) {
            co_await hang_up();
            co_return;
        }
    }
}

}  // namespace

asio::awaitable<void> serve(Bridge &bridge, Peer &peer, asio::ssl::context *tls)
{
    try {
        if (tls == nullptr) {
            Session<asio::ip::tcp::socket> session(bridge, peer, peer.socket);
            co_await session.run();
        } else {
            asio::ssl::stream<asio::ip::tcp::socket &> stream(peer.socket, *tls);
            boost::system::error_code failed;
            peer.within(bridge.options.header_time);
            co_await stream.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, failed));
            if (!failed) {
                Session<asio::ssl::stream<asio::ip::tcp::socket &>> session(bridge, peer, stream);
                co_await session.run();
            }
        }
    } catch (const std::exception &error) {
        spdlog::error("a connection ended by: {}", error.what());
    }
    boost::system::error_code ignored;
    peer.socket.close(ignored);
}

}  // namespace orch::bridge
