#include "core/hint.hpp"
#include "core/redis_url.hpp"

#include <gtest/gtest.h>

namespace orch::core::redis_url_test {

namespace {

RedisUrl parsed(std::string_view text)
{
    std::string wrong;
    const auto url = parse_redis_url(text, wrong);
    EXPECT_TRUE(url) << text << ": " << wrong;
    return url.value_or(RedisUrl{});
}

std::string refusal(std::string_view text)
{
    std::string wrong;
    EXPECT_FALSE(parse_redis_url(text, wrong)) << text;
    return wrong;
}

}  // namespace

TEST(redis_url, names_host_port_and_database)
{
    const RedisUrl url = parsed("redis://cache.example:7000/3");
    EXPECT_EQ(url.host, "cache.example");
    EXPECT_EQ(url.port, 7000);
    EXPECT_EQ(url.database, 3);
    EXPECT_EQ(url.place(), "cache.example:7000/3");
    EXPECT_EQ(parsed("redis://").place(), "localhost:6379");
    EXPECT_EQ(parsed("redis://[::1]:6380/").place(), "[::1]:6380");
    EXPECT_EQ(parsed("redis://[fe80::1]").host, "fe80::1");
}

TEST(redis_url, names_a_socket)
{
    const RedisUrl url = parsed("unix://:s%40crt@/run/redis/redis.sock?db=2");
    EXPECT_EQ(url.host, "");
    EXPECT_EQ(url.path, "/run/redis/redis.sock");
    EXPECT_EQ(url.password, "s@crt");
    EXPECT_EQ(url.place(), "/run/redis/redis.sock?db=2");
}

TEST(redis_url, keeps_the_password_to_itself)
{
    const RedisUrl url = parsed("redis://app:p%3a/w@rd@cache");
    EXPECT_EQ(url.user, "app");
    EXPECT_EQ(url.password, "p:/w@rd");
    EXPECT_EQ(url.host, "cache");
    EXPECT_EQ(url.place().find("w@rd"), std::string::npos);
    for (const char *text :
         {"redis://:hunter2@cache:x", "redis://:hunter2@cache/one", "rediss://:hunter2@cache", "redis://:hunter2%zz@cache", "redis://hunter2@cache"})
        EXPECT_EQ(refusal(text).find("hunter2"), std::string::npos) << text;
}

TEST(redis_url, refuses_what_it_cannot_do)
{
    EXPECT_NE(refusal("rediss://cache").find("TLS"), std::string::npos);
    for (const char *text : {"", "cache:6379", "http://cache", "redis://cache:0", "redis://cache:70000", "redis://cache/-1", "redis://ca che",
                             "redis://:a%00@cache", "redis://[::1", "redis://[::1]x", "unix://run/redis.sock", "unix:///run/redis.sock?password=x"})
        EXPECT_FALSE(refusal(text).empty()) << text;
}

TEST(hint, streams_of_two_routes_never_meet)
{
    EXPECT_EQ(hint_stream("app", "default", "default", ":command"), "orch:app:default:default::command");
    EXPECT_NE(hint_stream("app", "a:b", "c", "d"), hint_stream("app", "a", "b:c", "d"));
    EXPECT_NE(hint_stream("app", "a%3Ab", "c", "d"), hint_stream("app", "a:b", "c", "d"));
    EXPECT_NE(hint_stream("app", "t", "q:h", "x"), hint_stream("app", "t", "q", "h:x"));
}

}  // namespace orch::core::redis_url_test
