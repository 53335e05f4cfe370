// The parts that need neither a socket nor a database.
#include "api/etag.hpp"
#include "api/multipart.hpp"
#include "api/sql_route.hpp"
#include "api/wait.hpp"
#include "database/connection.hpp"
#include "database/error.hpp"
#include "server/text.hpp"
#include "server/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace {

using namespace orch::bridge;

Request request_for(const std::string &target, http::verb method = http::verb::get)
{
    Request request;
    request.method = method;
    request.target = target;
    read_target(request);
    return request;
}

Request with_header(const std::string &name, const std::string &value)
{
    Request request;
    request.fields.set(name, value);
    return request;
}

template <class F>
int status_thrown(const F &f)
{
    try {
        f();
    } catch (const Problem &problem) {
        return problem.status;
    }
    return 0;
}

TEST(Target, EncodedSlashStaysInItsSegment)
{
    const Request request = request_for("/api/v1/workflows/team%2Fetl/versions?limit=2&tag=a%3Db+c&flag");
    EXPECT_EQ(request.segments, (std::vector<std::string>{"api", "v1", "workflows", "team/etl", "versions"}));
    EXPECT_EQ(request.parameter("tag"), "a=b c");
    EXPECT_EQ(request.parameter("flag"), "");
    EXPECT_EQ(request.parameter("none"), std::nullopt);
}

TEST(Target, SchemeAndHostDoNotMatter)
{
    EXPECT_EQ(request_for("http://x.example/health?a=/b").segments, std::vector<std::string>{"health"});
    EXPECT_EQ(request_for("https://x.example").segments, std::vector<std::string>{""});
}

TEST(Target, RefusesTricks)
{
    for (const char *target : {"", "x", "/a/../b", "/%2e%2E/b", "/a/.", "/%", "/%4", "/%gg", "/%00", "/a%0ab", "/%c0%af", "/%ed%a0%80", "/?a=%ff", "/a\xff"})
        EXPECT_EQ(status_thrown([&] { (void)request_for(target); }), 400) << target;
}

TEST(Routes, LiteralsBeforeNames)
{
    Request validate = request_for("/api/workflows/validate", http::verb::post), get = request_for("/api/v1/workflows/validate"),
            head = request_for("/health", http::verb::head);
    EXPECT_EQ(find_route(validate)->operation_id, "validateWorkflow");
    EXPECT_EQ(find_route(get)->operation_id, "getWorkflow");
    EXPECT_EQ(get.in_path("workflow"), "validate");
    EXPECT_NE(find_route(head), nullptr);
    Request none = request_for("/api/v1/workflows//versions"), other = request_for("/api/v1/workflows", http::verb::patch);
    EXPECT_EQ(find_route(none), nullptr);
    EXPECT_EQ(allowed_methods(none), "");
    EXPECT_EQ(find_route(other), nullptr);
    EXPECT_EQ(allowed_methods(other), "GET, HEAD, POST, OPTIONS");
}

TEST(Routes, EachHasANameOfItsOwn)
{
    std::set<std::string> names, places;
    for (const Route *route : all_routes()) {
        EXPECT_TRUE(names.insert(route->operation_id).second) << route->operation_id;
        EXPECT_TRUE(places.insert(std::string(http::to_string(route->method)) + route->pattern).second) << route->pattern;
    }
}

TEST(Form, PartsWithTheirNames)
{
    const auto parts = read_multipart(
        R"(multipart/form-data; charset=utf-8; boundary="b 1")",
        "--b 1\r\nContent-Disposition: form-data; name=\"a\"; filename=\"x \\\"y\\\".yaml\"\r\ncontent-type: text/yaml\r\n\r\nid: x\r\n--b\r\n\r\n"
        "--b 1\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--b 1--\r\n");
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(parts[0].filename, "x \"y\".yaml");
    EXPECT_EQ(parts[0].content_type, "text/yaml");
    EXPECT_EQ(parts[0].content, "id: x\r\n--b\r\n");
    EXPECT_EQ(parts[1].name, "b");
    EXPECT_EQ(parts[1].content, "");
}

TEST(Form, RefusesWhatIsNone)
{
    const std::string type = "multipart/form-data; boundary=b";
    for (const char *body : {"", "--b", "--b\r\n", "x--b\r\n", "--b\r\n\r\n", "--b\r\n\r\n{}\r\n--c--", "--b\r\nno colon\r\n\r\n{}\r\n--b--"})
        EXPECT_EQ(status_thrown([&] { (void)read_multipart(type, body); }), 400) << body;
    EXPECT_EQ(status_thrown([&] { (void)read_multipart("multipart/form-data", "--\r\n"); }), 400);
    EXPECT_TRUE(read_multipart(type, "--b--").empty());
}

TEST(Conditions, ETagsAreVersions)
{
    EXPECT_TRUE(none_match(with_header("If-None-Match", "\"1\" , W/\"3\""), "\"3\""));
    EXPECT_TRUE(none_match(with_header("If-None-Match", "*"), "\"3\""));
    EXPECT_FALSE(none_match(with_header("If-None-Match", "\"31\""), "\"3\""));
    EXPECT_FALSE(none_match(Request(), "\"3\""));
    EXPECT_EQ(write_condition_of(with_header("If-Match", "\"12\"")).version, "12");
    EXPECT_TRUE(write_condition_of(with_header("If-None-Match", "*")).must_be_new);
    for (const char *wrong : {"*", "\"\"", "\"x\"", "W/\"1\"", "\"1\", \"2\"", "12345678901"})
        EXPECT_EQ(status_thrown([&] { (void)write_condition_of(with_header("If-Match", wrong)); }), 400) << wrong;
}

TEST(Pages, CursorsComeBack)
{
    for (const std::string key : {"", "a", "a/b", "[\"2026-01-31T00:00:00+00:00\", \"x\", 1]", "\xc3\xa4"})
        EXPECT_EQ(paging_of(request_for("/?cursor=" + cursor_of(key))).after, key);
    EXPECT_EQ(paging_of(request_for("/")).limit, 50u);
    EXPECT_EQ(paging_of(request_for("/?limit=500")).limit, 500u);
    for (const char *wrong : {"limit=0", "limit=000", "limit=501", "limit=", "limit=+1", "cursor=", "cursor=MQ", "cursor=%2F", "cursor=a"})
        EXPECT_EQ(status_thrown([&] { (void)paging_of(request_for(std::string("/?") + wrong)); }), 400) << wrong;
}

TEST(Waiting, AtMostAMinute)
{
    using std::chrono::seconds;
    EXPECT_EQ(preferred_wait(with_header("Prefer", "respond-async, Wait=5; x=y")), seconds(5));
    EXPECT_EQ(preferred_wait(with_header("Prefer", "wait=99999999999999")), seconds(60));
    for (const char *none : {"", "wait", "wait=", "wait=-1", "wait=1.5", "waiting=1"})
        EXPECT_EQ(preferred_wait(with_header("Prefer", none)), std::nullopt) << none;
}

TEST(Traces, OnlyWellFormedOnes)
{
    const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    EXPECT_EQ(traceparent_of(with_header("traceparent", good)), good);
    for (const char *wrong : {"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                              "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"})
        EXPECT_EQ(traceparent_of(with_header("traceparent", wrong)), "") << wrong;
}

TEST(Errors, OneTable)
{
    EXPECT_EQ(status_of("OR001"), 422);
    EXPECT_EQ(status_of("OR031"), 503);
    EXPECT_EQ(status_of("22023"), 422);
    EXPECT_EQ(status_of("22P02"), 400);
    EXPECT_EQ(status_of("42501"), 403);
    EXPECT_EQ(status_of("57014"), 503);
    EXPECT_EQ(status_of("XX000"), 500);
    EXPECT_EQ(to_problem(DatabaseError("57P01", "gone")).headers.front().first, "Retry-After");
}

TEST(Places, EachHostByItself)
{
    const auto places = places_of("postgresql://u:secret@a.example:1,10.0.0.1:2/db");
    ASSERT_EQ(places.size(), 2u);
    EXPECT_EQ(places[0].name, "a.example:1");
    EXPECT_EQ(places[0].resolve, "a.example");
    EXPECT_EQ(places[1].resolve, "");
    const auto has = [](const Place &place, const std::string &key, const std::string &value) {
        return std::find(place.parameters.begin(), place.parameters.end(), std::pair(key, value)) != place.parameters.end();
    };
    EXPECT_TRUE(has(places[0], "target_session_attrs", "read-write"));
    EXPECT_TRUE(has(places[1], "port", "2"));
    EXPECT_TRUE(has(places_of("host=/a,/b port=5 target_session_attrs=any")[1], "target_session_attrs", "any"));
    EXPECT_TRUE(has(places_of("host=/a,/b port=5")[1], "port", "5"));
    EXPECT_THROW((void)places_of("postgresql://["), DatabaseError);
}

TEST(Text, Utf8IsStrict)
{
    EXPECT_TRUE(is_utf8("\xf0\x9f\x98\x80"));
    for (const char *wrong : {"\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) EXPECT_FALSE(is_utf8(wrong));
}

}  // namespace
