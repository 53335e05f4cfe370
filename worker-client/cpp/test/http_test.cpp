#include "executors.hpp"
#include "expectation.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace {

using namespace orch;
using namespace std::chrono_literals;

/// Answers each request by a function of its whole text; an empty answer never comes.
class fake_server {
public:
    explicit fake_server(std::function<std::string(const std::string &)> answer)
        : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        ::bind(socket_, reinterpret_cast<sockaddr *>(&address), sizeof address);
        ::listen(socket_, 16);
        ::getsockname(socket_, reinterpret_cast<sockaddr *>(&address), &length);
        port = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~fake_server()
    {
        ::shutdown(socket_, SHUT_RDWR);
        thread_.join();
        ::close(socket_);
        for (const int open : held_) ::close(open);
    }
    [[nodiscard]] std::string url(const std::string &path = "/") const { return "http://127.0.0.1:" + std::to_string(port) + path; }

    int port = 0;
    std::atomic<int> requests{0};
    std::string last;

private:
    void serve()
    {
        for (int peer; (peer = ::accept(socket_, nullptr, nullptr)) >= 0;) {
            std::string text;
            char bytes[65536];
            for (ssize_t got; !complete(text) && (got = ::read(peer, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<size_t>(got));
            last = text;
            ++requests;
            const auto answer = answer_(text);
            if (answer.empty()) {
                held_.push_back(peer);
                continue;
            }
            for (size_t sent = 0; sent < answer.size();) {
                const ssize_t wrote = ::send(peer, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
                if (wrote <= 0) break;
                sent += static_cast<size_t>(wrote);
            }
            ::close(peer);
        }
    }
    static bool complete(const std::string &text)
    {
        const auto end = text.find("\r\n\r\n");
        if (end == text.npos) return false;
        const auto length = text.find("Content-Length: ");
        return length == text.npos || length > end || text.size() >= end + 4 + std::stoul(text.substr(length + 16));
    }

    std::function<std::string(const std::string &)> answer_;
    int socket_;
    std::thread thread_;
    std::vector<int> held_;
};

std::string answer(const std::string &status, const std::string &body = "", const std::string &headers = "")
{
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n" + headers + "\r\n" + body;
}

const std::string json_type = "Content-Type: application/json; charset=utf-8\r\n";

struct request_task : leased_task {
    explicit request_task(const json &http);
};

request_task::request_task(const json &http)
{
    run_id = "run";
    task_id = "t";
    idempotency_key = "run:t";
    traceparent = "00-11-22-01";
    executor = "http";
    spec = json{{"http", http}}.dump();
    deadline = std::chrono::steady_clock::now() + 20s;
}

std::optional<std::string> lookup(const std::string &name) { return name == "KEY" ? std::optional<std::string>("s3cret") : std::nullopt; }

json request(leased_task &work, size_t max_result = size_t{1} << 20) { return json::parse("{" + run_http(work, lookup, max_result).fields + "}"); }
json request(const json &http, size_t max_result = size_t{1} << 20)
{
    request_task work(http);
    return request(work, max_result);
}

bool has(const std::string &whole, const std::string &text) { return whole.find(text) != whole.npos; }

TEST(expectation, names_statuses_in_four_ways)
{
    EXPECT_TRUE(expects_status("2xx", 204));
    EXPECT_FALSE(expects_status("2xx", 301));
    EXPECT_TRUE(expects_status(404, 404));
    EXPECT_TRUE(expects_status("200-299", 299));
    EXPECT_FALSE(expects_status("200-299", 300));
    EXPECT_TRUE(expects_status("< 400", 302));
    EXPECT_FALSE(expects_status("!=503", 503));
    EXPECT_TRUE(expects_status({200, "4xx"}, 404));
    EXPECT_THROW((void)expects_status("yes", 200), task_error);
    EXPECT_THROW((void)expects_status("200-", 200), task_error);
}

TEST(expectation, a_body_contains_a_part)
{
    const auto body = json::parse(R"({"ok":true,"list":[{"a":1,"b":2},3]})");
    EXPECT_TRUE(contains(body, {{"ok", true}}));
    EXPECT_TRUE(contains(body, json::parse(R"({"list":[{"b":2}]})")));
    EXPECT_FALSE(contains(body, {{"ok", false}}));
    EXPECT_FALSE(contains(body, json::parse(R"({"list":[{"b":3}]})")));
    EXPECT_FALSE(contains("text", {{"ok", true}}));
}

TEST(http, sends_what_the_definition_says_and_its_own_headers)
{
    fake_server server(
        [](const std::string &) { return answer("201 Created", R"({"id":12345678901234567890123,"ok":true})", json_type + "X-Two: a\r\nX-Two: b\r\n"); });
    const auto ended = request({{"url", server.url("/p?a=1#end")},
                                {"headers", {{"Authorization", "Bearer {{ secrets.KEY }}"}, {"X-Text", "{{ '{' }}{ secrets.KEY }}"}}},
                                {"query", {{"q", "a b&c"}, {"list", {1, "two"}}, {"none", nullptr}}},
                                {"body", {{"k", "{{ secrets.KEY }}"}, {"n", 1.5}}}});
    EXPECT_TRUE(has(server.last, "POST /p?a=1&list=1&list=two&q=a%20b%26c HTTP/1.1\r\n")) << server.last;
    EXPECT_TRUE(has(server.last, "Authorization: Bearer s3cret\r\n"));
    EXPECT_TRUE(has(server.last, "X-Text: {{ secrets.KEY }}\r\n"));
    EXPECT_TRUE(has(server.last, "Idempotency-Key: run:t\r\n"));
    EXPECT_TRUE(has(server.last, "traceparent: 00-11-22-01\r\n"));
    EXPECT_TRUE(has(server.last, "Content-Type: application/json\r\n"));
    EXPECT_TRUE(server.last.ends_with(R"({"k":"s3cret","n":1.5})")) << server.last;
    EXPECT_EQ(ended["output"]["status"], 201);
    EXPECT_EQ(ended["output"]["headers"]["x-two"], "a, b");
    EXPECT_EQ(ended["output"]["body"]["ok"], true);
}

TEST(http, a_body_is_json_text_or_bytes)
{
    std::string body = "plain", type = "Content-Type: text/plain\r\n";
    fake_server server([&](const std::string &) { return answer("200 OK", body, type); });
    EXPECT_EQ(request({{"url", server.url()}})["output"]["body"], "plain");
    type = json_type;
    EXPECT_EQ(request({{"url", server.url()}})["output"]["body"], "plain") << "JSON by its type, and none";
    body = R"({"n":12345678901234567890123})";
    request_task work(json{{"url", server.url()}});
    EXPECT_TRUE(has(run_http(work, lookup, 1000).fields, R"("body":{"n":12345678901234567890123})")) << "no digit is lost";
    body = std::string("\x00\xff\x10", 3);
    const auto ended = request({{"url", server.url()}});
    EXPECT_EQ(ended["output"]["body"], nullptr);
    EXPECT_EQ(ended["output"]["body_base64"], "AP8Q");
    body = "";
    EXPECT_EQ(request({{"url", server.url()}})["output"]["body"], nullptr);
}

TEST(http, a_status_that_is_not_expected_is_an_error_of_its_class)
{
    std::string status = "503 Service Unavailable";
    fake_server server([&](const std::string &) { return answer(status, "the key s3cret is wrong", "Retry-After: 7\r\n"); });
    const auto http = [&](const json &more = json::object()) {
        json made{{"url", server.url("/secret-path")}, {"headers", {{"K", "{{ secrets.KEY }}"}}}};
        made.update(more);
        return request(made);
    };
    auto error = http()["error"];
    EXPECT_EQ(error["class"], "transient");
    EXPECT_EQ(error["code"], "503");
    EXPECT_EQ(error["retry_after_seconds"], 7);
    EXPECT_EQ(error["message"], "127.0.0.1 answered with status 503");
    EXPECT_EQ(error["detail"], "the key *** is wrong");
    status = "429 Too Many Requests";
    EXPECT_EQ(http()["error"]["class"], "resource");
    status = "404 Not Found";
    EXPECT_EQ(http()["error"]["class"], "validation");
    EXPECT_EQ(http({{"expect", {200, 404}}})["output"]["status"], 404);
    status = "200 OK";
    EXPECT_EQ(http({{"expect", 201}})["error"]["code"], "200");
    EXPECT_EQ(http({{"expect", {{"body", {{"ok", true}}}}}})["error"]["code"], "unexpected_body");
}

TEST(http, an_answer_that_is_too_large_is_cut_off)
{
    fake_server server([](const std::string &) { return answer("200 OK", std::string(200'000, 'x')); });
    const auto error = request({{"url", server.url()}}, 100'000)["error"];
    EXPECT_EQ(error["class"], "validation");
    EXPECT_EQ(error["code"], "too_large");
}

TEST(http, a_timeout_and_a_stop_end_it_at_once)
{
    fake_server server([](const std::string &) { return std::string(); });
    request_task late(json{{"url", server.url()}});
    late.deadline = std::chrono::steady_clock::now() + 100ms;
    EXPECT_EQ(request(late)["error"]["class"], "timeout");
    request_task stopped(json{{"url", server.url()}});
    std::thread stopper([&] {
        while (server.requests < 2) std::this_thread::sleep_for(1ms);
        stopped.interrupt(leased_task::reason::cancelled);
    });
    EXPECT_EQ(request(stopped)["error"]["class"], "cancelled");
    stopper.join();
    EXPECT_LT(std::chrono::steady_clock::now(), *stopped.deadline);
}

TEST(http, nobody_there_is_transient_and_no_url_is_not)
{
    int port = 0;
    {
        const fake_server gone([](const std::string &) { return std::string(); });
        port = gone.port;
    }
    EXPECT_EQ(request({{"url", "http://127.0.0.1:" + std::to_string(port)}})["error"]["class"], "transient");
    for (const char *url : {"ftp://127.0.0.1/", "file:///etc/passwd", "http://", "127.0.0.1", "http://a b/", "http://a/\n"}) {
        const auto error = request({{"url", url}})["error"];
        EXPECT_EQ(error["class"], "validation") << url;
        EXPECT_EQ(error["code"], "invalid_url") << url;
    }
}

TEST(http, a_header_cannot_bring_another)
{
    EXPECT_EQ(request({{"url", "http://127.0.0.1/"}, {"headers", {{"A", "b\r\nC: d"}}}})["error"]["code"], "invalid_header");
    EXPECT_EQ(request({{"url", "http://127.0.0.1/"}, {"headers", {{"A: b\r\nC", "d"}}}})["error"]["code"], "invalid_header");
    EXPECT_EQ(request({{"url", "http://127.0.0.1/"}, {"headers", {{"A", "{{ secrets.NONE }}"}}}})["error"]["code"], "template_unresolved");
}

TEST(http, redirects_are_followed_without_headers_to_another_host)
{
    fake_server other([](const std::string &) { return answer("200 OK", "there"); });
    std::string to = "/next";
    fake_server server(
        [&](const std::string &text) { return has(text, "GET /next") ? answer("200 OK", "here") : answer("302 Found", "", "Location: " + to + "\r\n"); });
    const json headers{{"X-Key", "{{ secrets.KEY }}"}};
    EXPECT_EQ(request({{"url", server.url("/a")}, {"headers", headers}})["output"]["body"], "here");
    EXPECT_TRUE(has(server.last, "s3cret"));
    to = other.url("/x");
    EXPECT_EQ(request({{"url", server.url("/a")}, {"headers", headers}})["output"]["body"], "there");
    EXPECT_FALSE(has(other.last, "s3cret"));
    EXPECT_FALSE(has(other.last, "Idempotency-Key"));
    EXPECT_EQ(request({{"url", server.url("/a")}, {"expect", 302}})["output"]["headers"]["location"], to);
    EXPECT_EQ(request({{"url", server.url("/a")}, {"method", "POST"}})["error"]["code"], "302") << "a POST is not made again";
    to = "/again";
    EXPECT_EQ(request({{"url", server.url("/a")}})["error"]["code"], "redirects");
    to = "file:///etc/passwd";
    EXPECT_EQ(request({{"url", server.url("/a")}})["error"]["code"], "invalid_url");
}

TEST(http, the_preset_asks_a_language_model)
{
    fake_server server([](const std::string &) {
        return answer("200 OK", R"({"choices":[{"message":{"role":"assistant","content":"{\"answer\":42}"}}],"usage":{"total_tokens":9}})", json_type);
    });
    const auto ended = request({{"llm", {{"base_url", server.url("/v1/")}, {"model", "m"}, {"system", "be brief"}, {"prompt", "why?"}, {"temperature", 0}}},
                                {"headers", {{"Authorization", "Bearer {{ secrets.KEY }}"}}}});
    EXPECT_TRUE(has(server.last, "POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_TRUE(has(server.last, "Authorization: Bearer s3cret\r\n"));
    EXPECT_EQ(json::parse(server.last.substr(server.last.find("\r\n\r\n"))),
              json::parse(R"({"model":"m","temperature":0,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]})"));
    EXPECT_EQ(ended["output"]["text"], "{\"answer\":42}");
    EXPECT_EQ(ended["output"]["json"]["answer"], 42);
    EXPECT_EQ(ended["output"]["usage"]["total_tokens"], 9);
}

}  // namespace
