#include "core/json_path.hpp"

#include <gtest/gtest.h>

using namespace orch::core;

namespace {

std::string named(std::string_view path)
{
    std::string text;
    for (const PathReference &reference : references(path))
        text += (text.empty() ? "" : " ") + reference.root + (reference.root == "tasks" ? ":" + reference.task : "");
    return text;
}

}  // namespace

TEST(json_path, finds_every_root_that_a_path_names)
{
    EXPECT_EQ(named("$.tasks.load.output.row_count > 0"), "tasks:load");
    EXPECT_EQ(named("$.tasks.a.output ? (@.n > $.tasks.b.output.n) && $.input.x == \"$.tasks.c\""), "tasks:a tasks:b input");
    EXPECT_EQ(named("strict $ . tasks . \"fetch-\\\"data\" .output"), "tasks:fetch-\"data");
    EXPECT_EQ(named("exists($.run.state)"), "run");
}

TEST(json_path, tells_paths_that_name_too_much)
{
    EXPECT_EQ(named("$.tasks.*.output"), "tasks:");
    EXPECT_EQ(named("$"), "");
    EXPECT_EQ(references("$.*").size(), 1u);
    EXPECT_EQ(references("$.*")[0].root, "");
    EXPECT_EQ(references("$secret")[0].root, "$secret");
}

TEST(json_path, light_check_finds_what_is_not_closed)
{
    EXPECT_FALSE(light_path_check("strict $.a[0] ? (@.b == \"(\")"));
    for (const char *path : {"$.a[0", "$.a ? (@ > 1", "$.a == \"x", "$.a)", "$.a ? (@[0)]", "$.a == 'x'", "$.a."}) EXPECT_TRUE(light_path_check(path)) << path;
}

TEST(json_path, plain_words_need_no_quotes)
{
    for (const char *id : {"a", "load_2", "_x"}) EXPECT_TRUE(is_plain_word(id)) << id;
    for (const char *id : {"", "fetch-data", "2fast", "a.b", "a/b", "a:b", "a+b"}) EXPECT_FALSE(is_plain_word(id)) << id;
}
