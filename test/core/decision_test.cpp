#include "core/decision.hpp"
#include "support.hpp"

using namespace orch::core;

namespace {

bool decided(std::string_view left, std::string_view op, std::string_view right) { return decide(json(left), op, json(right)); }

}  // namespace

TEST(decision, compares_numbers_as_numbers)
{
    EXPECT_TRUE(decided("10", ">", "9"));
    EXPECT_TRUE(decided("1.0", "==", "1"));
    EXPECT_FALSE(decided("9007199254740993", "==", "9007199254740992"));
    EXPECT_TRUE(decided("-1", "<", "18446744073709551615"));
}

TEST(decision, reads_numbers_from_a_commands_output)
{
    EXPECT_TRUE(decided(R"("42\n")", "==", "42"));
    EXPECT_TRUE(decided(R"("10")", ">", R"("9")"));
    EXPECT_TRUE(decided(R"(" 1e3 ")", ">=", "1000"));
}

TEST(decision, compares_other_text_trimmed)
{
    EXPECT_TRUE(decided(R"("main\n")", "==", R"("main")"));
    EXPECT_TRUE(decided(R"("apple")", "<", R"("pear")"));
    EXPECT_TRUE(decided(R"("007")", "!=", "7"));
    EXPECT_TRUE(decided(R"("v10")", "<", R"("v9")"));
}

TEST(decision, takes_other_values_by_their_json_text)
{
    EXPECT_TRUE(decided("true", "==", R"("true")"));
    EXPECT_TRUE(decided("null", "!=", "false"));
    EXPECT_TRUE(decided("[1,2]", "==", "[1, 2]"));
}

TEST(decision, every_operator_agrees_with_its_opposite)
{
    const char *values[] = {"1", "2", R"("a")", R"("b")", "true", R"("10")", "null"};
    for (const char *left : values) {
        for (const char *right : values) {
            EXPECT_NE(decided(left, "==", right), decided(left, "!=", right));
            EXPECT_NE(decided(left, "<", right), decided(left, ">=", right));
            EXPECT_NE(decided(left, ">", right), decided(left, "<=", right));
        }
    }
    EXPECT_TRUE(is_decision_operator("<="));
    EXPECT_FALSE(is_decision_operator("=<"));
}
