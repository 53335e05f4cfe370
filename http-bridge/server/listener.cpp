#include "server/listener.hpp"

#include "server/tls.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <spdlog/spdlog.h>

namespace orch::bridge {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

// More at once would only keep others waiting for the loop.
constexpr size_t most_turned_away = 64;

tcp::endpoint endpoint_of(const std::string &address)
{
    const auto colon = address.rfind(':');
    std::string host = colon == address.npos ? "127.0.0.1" : address.substr(0, colon);
    const std::string port = colon == address.npos ? address : address.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty() || host == "*") host = "::";
    if (host == "localhost") host = "127.0.0.1";
    char *end = nullptr;
    const unsigned long number = std::strtoul(port.c_str(), &end, 10);
    boost::system::error_code wrong;
    const auto ip = asio::ip::make_address(host, wrong);
    if (wrong || port.empty() || *end != '\0' || number > 65535)
        throw std::system_error(std::make_error_code(std::errc::invalid_argument), "\"" + address + "\" is no address to listen at, such as 127.0.0.1:8080");
    return {ip, static_cast<unsigned short>(number)};
}

std::string text_of(const tcp::endpoint &endpoint)
{
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

}  // namespace

Listener::Listener(Bridge &bridge) : bridge_(bridge), sweeper_(bridge.loop)
{
    if (!bridge.options.certificate.empty()) tls_.emplace(make_tls(bridge.options));
    for (const std::string &address : bridge.options.listen) {
        const tcp::endpoint endpoint = endpoint_of(address);
        tcp::acceptor &acceptor = acceptors_.emplace_back(bridge.loop);
        acceptor.open(endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen(1024);
    }
}

std::vector<std::string> Listener::addresses() const
{
    std::vector<std::string> all;
    for (const tcp::acceptor &acceptor : acceptors_) all.push_back((tls_ ? "https://" : "http://") + text_of(acceptor.local_endpoint()));
    return all;
}

void Listener::start()
{
    for (tcp::acceptor &acceptor : acceptors_) asio::co_spawn(bridge_.loop, accept(acceptor), asio::detached);
    sweep();
}

asio::awaitable<void> Listener::accept(tcp::acceptor &acceptor)
{
    const Options &options = bridge_.options;
    while (acceptor.is_open()) {
        boost::system::error_code failed;
        tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, failed));
        if (!acceptor.is_open()) co_return;
        if (failed) {
            // Out of file descriptors, most likely: those who are here go on, and some of them will go.
            spdlog::warn("no connection can be accepted: {}", failed.message());
            asio::steady_timer pause(bridge_.loop, 100ms);
            co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, failed));
            continue;
        }
        const tcp::endpoint remote = socket.remote_endpoint(failed);
        if (failed) continue;
        std::string address = remote.address().to_string();
        if (address.starts_with("::ffff:")) address = address.substr(7);
        const auto known = by_address_.find(address);
        if (peers_.size() >= options.max_connections || (known != by_address_.end() && known->second >= options.max_connections_per_address)) {
            if (turned_away_ < most_turned_away) asio::co_spawn(bridge_.loop, turn_away(std::move(socket)), asio::detached);
            continue;
        }
        socket.set_option(tcp::no_delay(true), failed);
        by_address_[address]++;
        peers_.emplace_front(std::move(socket), std::move(address));
        asio::co_spawn(bridge_.loop, serve_one(peers_.begin()), asio::detached);
    }
}

asio::awaitable<void> Listener::serve_one(std::list<Peer>::iterator peer)
{
    co_await serve(bridge_, *peer, tls_ ? &*tls_ : nullptr);
    const auto count = by_address_.find(peer->address);
    if (--count->second == 0) by_address_.erase(count);
    peers_.erase(peer);
    if (done_) look_for_end();
}

asio::awaitable<void> Listener::turn_away(tcp::socket socket)
{
    static constexpr std::string_view body = R"({"type":"about:blank","title":"too many connections","status":503,"code":"too_many_connections"})";
    static const std::string answer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    turned_away_++;
    boost::system::error_code ignored;
    // Under TLS nobody could read it.
    if (!tls_) {
        co_await asio::async_write(socket, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, ignored));
        // Closed with bytes unread, it would be reset, and the answer lost.
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        asio::steady_timer moment(bridge_.loop, 100ms);
        co_await moment.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    turned_away_--;
}

void Listener::sweep()
{
    sweeper_.expires_after(100ms);
    sweeper_.async_wait([this](boost::system::error_code stopped) {
        if (stopped) return;
        const auto now = Peer::Clock::now();
        for (Peer &peer : peers_)
            if (peer.deadline < now) peer.expire();
        if (done_) look_for_end();
        sweep();
    });
}

void Listener::stop(std::function<void()> done)
{
    boost::system::error_code ignored;
    for (tcp::acceptor &acceptor : acceptors_) acceptor.close(ignored);
    for (Peer &peer : peers_) {
        peer.stop.cancel();
        if (peer.idle) peer.expire();
    }
    stop_by_ = Peer::Clock::now() + bridge_.options.stop_time;
    done_ = std::move(done);
    look_for_end();
}

void Listener::look_for_end()
{
    if (!peers_.empty() && Peer::Clock::now() < stop_by_) return;
    if (!peers_.empty()) spdlog::warn("{} connections have not ended in time and are closed", peers_.size());
    const auto done = std::exchange(done_, nullptr);
    sweeper_.cancel();
    done();
}

}  // namespace orch::bridge
