#include "captured_output.hpp"
#include "duration.hpp"
#include "executors.hpp"
#include "orch/text.hpp"
#include "table.hpp"

#include <gtest/gtest.h>

namespace {

using namespace orch;

TEST(text, invalid_bytes_and_nul_are_replaced)
{
    EXPECT_EQ(clean_text("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(clean_text(std::string_view("a\0b", 3)), "a\xEF\xBF\xBD"
                                                       "b");
    EXPECT_EQ(clean_text("\xff"), "\xEF\xBF\xBD");
    EXPECT_EQ(clean_text("\xed\xa0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
    EXPECT_EQ(clean_text("\xf4\x90\x80\x80").size(), 12U) << "beyond U+10FFFF";
    EXPECT_EQ(clean_text("\xc3"), "\xEF\xBF\xBD") << "half a character";
}

TEST(text, cuts_fall_between_characters)
{
    const std::string text = "a\xE2\x82\xAC"
                             "b";  // a, euro, b
    EXPECT_EQ(front_of(text, 3), "a");
    EXPECT_EQ(front_of(text, 4), "a\xE2\x82\xAC");
    EXPECT_EQ(back_of(text, 3), "b");
    EXPECT_EQ(back_of(text, 4), "\xE2\x82\xAC"
                                "b");
}

TEST(captured_output, short_text_stays_whole)
{
    captured_output out(1000);
    out.push("one\n");
    out.push("two\n");
    EXPECT_EQ(out.text(100), "one\ntwo\n");
    EXPECT_EQ(out.last_line().text, "two");
}

TEST(captured_output, long_text_loses_its_middle_and_says_so)
{
    captured_output out(1000);
    for (int i = 0; i < 10'000; ++i) out.push("line " + std::to_string(i) + "\n");
    const auto text = out.text(800);
    EXPECT_LE(json_size(text), 800U);
    EXPECT_TRUE(text.starts_with("line 0\n"));
    EXPECT_TRUE(text.ends_with("line 9999\n"));
    EXPECT_NE(text.find("bytes left out"), text.npos);
    EXPECT_EQ(out.last_line().text, "line 9999");
}

TEST(captured_output, never_cuts_a_character)
{
    for (size_t limit = 100; limit < 120; ++limit) {
        captured_output out(limit);
        for (int i = 0; i < 500; ++i) out.push("\xF0\x9F\x98\x80");
        const auto text = out.text(200);
        EXPECT_EQ(text.find("\xEF\xBF\xBD"), text.npos) << limit;
        EXPECT_LE(json_size(text), 200U);
    }
}

TEST(captured_output, characters_that_json_escapes_count_with_their_escapes)
{
    captured_output out(10'000);
    out.push(std::string(2000, '\x01'));
    EXPECT_LE(json_size(out.text(3000)), 3000U);
}

TEST(captured_output, a_last_line_longer_than_the_memory_is_known_as_cut)
{
    captured_output out(100);
    out.push("{\"a\":\"" + std::string(1000, 'x') + "\"}\n");
    EXPECT_FALSE(out.last_line().whole);
}

TEST(outcome, a_nul_in_the_output_fails_the_attempt)
{
    EXPECT_EQ(outcome::success(json{{"a", 1}}).fields, R"("output":{"a":1})");
    EXPECT_NE(outcome::success(json(std::string("a\0b", 3))).fields.find("invalid_output"), std::string::npos);
    EXPECT_EQ(outcome::success(json("a\\u0000b")).fields, R"("output":"a\\u0000b")") << "a backslash and five letters";
    EXPECT_NE(outcome::success(json("\xff")).fields.find("invalid_output"), std::string::npos);
}

TEST(outcome, nul_escapes_of_a_command_are_replaced) { EXPECT_EQ(without_nul_escapes(R"("a\u0000b\\u0000\\\u0000")"), R"("a\ufffdb\\u0000\\\ufffd")"); }

TEST(terminal, hostile_text_becomes_visible)
{
    EXPECT_EQ(cli::visible("\x1b[2J\r\n\t\x07"), "\\u001b[2J\\u000d\\n\\t\\u0007");
    EXPECT_EQ(cli::visible("\xE2\x80\xAE"
                           "abc"),
              "\\u202eabc");
    EXPECT_EQ(cli::visible("\xC2\x9B"
                           "31m"),
              "\\u009b31m");
    EXPECT_EQ(cli::visible("gr\xc3\xbc\xc3\x9f \xff"), "gr\xc3\xbc\xc3\x9f \\xff");
}

TEST(terminal, columns_are_aligned)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    EXPECT_EQ(cli::table({"id", "name"}, {{"1", "x"}, {"\xE6\x97\xA5\xE6\x9C\xAC", ""}}), "id    name\n1     x\n\xE6\x97\xA5\xE6\x9C\xAC\n");
    EXPECT_EQ(cli::shortened("abcdefghij", 6), "abc...");
}

TEST(duration, units_are_understood)
{
    using namespace std::chrono_literals;
    EXPECT_EQ(cli::duration("250ms"), 250ms);
    EXPECT_EQ(cli::duration("30"), 30s);
    EXPECT_EQ(cli::duration("1.5h"), 90min);
    for (const char *wrong : {"", "s", "-1s", "nan", "inf", "1y", "1e99d", "5 minutes"})
        EXPECT_THROW((void)cli::duration(wrong), std::invalid_argument) << wrong;
}

}  // namespace
