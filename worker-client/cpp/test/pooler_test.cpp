#include "orch/pooler.hpp"

#include "orch/error.hpp"
#include "orch/worker.hpp"

#include <gtest/gtest.h>

namespace {

using orch::database_url;

TEST(pooler, takes_pooled_out_of_a_url)
{
    const database_url first("postgresql://u:p@h/d?pooled=1&application_name=a%26b"), last("postgres://h/d?host=/tmp&port=1&pooled=0"),
        only("postgresql:///d?pooled=1");
    EXPECT_EQ(first.text, "postgresql://u:p@h/d?application_name=a%26b");
    EXPECT_EQ(first.pooled, true);
    EXPECT_EQ(last.text, "postgres://h/d?host=/tmp&port=1");
    EXPECT_EQ(last.pooled, false);
    EXPECT_EQ(only.text, "postgresql:///d");
}

TEST(pooler, takes_pooled_out_of_settings)
{
    const database_url some("host=/tmp pooled = '1' password='a pooled=0 \\' b' dbname=d");
    EXPECT_EQ(some.text, "host=/tmp password='a pooled=0 \\' b' dbname=d");
    EXPECT_EQ(some.pooled, true);
    EXPECT_EQ(database_url("pooled=1").text, "");
}

TEST(pooler, leaves_all_else_as_it_is)
{
    for (const char *text : {"", "orders", "host=a,b port=1,2", "postgresql://a:1,b:2/d?target_session_attrs=any", "host", "host = ", "password='open"}) {
        EXPECT_EQ(database_url(text).text, text);
        EXPECT_FALSE(database_url(text).pooled);
    }
}

TEST(pooler, refuses_what_is_neither)
{
    EXPECT_THROW(database_url("postgresql:///d?pooled=yes"), orch::error);
    EXPECT_THROW(database_url("pooled="), orch::error);
}

TEST(pooler, refuses_a_worker_whose_sessions_are_to_keep_something)
{
    EXPECT_THROW(orch::worker({.database = "pooled=1", .session = {"set role app"}}), orch::error);
    EXPECT_NO_THROW(orch::worker({.database = "pooled=0", .session = {"set role app"}}));
}

TEST(pooler, pauses_grow_from_100_ms_to_2_s)
{
    orch::pauses between;
    for (const int least : {100, 200, 400, 800, 1000, 1000}) {
        const auto pause = between.next().count();
        EXPECT_GE(pause, least);
        EXPECT_LT(pause, 2 * least);
    }
    between.begin_anew();
    EXPECT_LT(between.next().count(), 200);
}

}  // namespace
