#include "support.hpp"

using namespace orch::core;

namespace {

std::string code_of(std::string_view text, const Limits &limits = {})
{
    const auto parsed = parse(text, limits);
    const auto *problem = std::get_if<Problem>(&parsed);
    return problem ? problem->code : "";
}

std::string path_of(std::string_view text)
{
    const auto parsed = parse(text);
    const auto *problem = std::get_if<Problem>(&parsed);
    return problem ? problem->path : "none";
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

TEST(json, keeps_values_and_the_order_of_keys)
{
    const std::string text = R"({"z":1,"a":[true,null,-2,1.5,"é\n"],"m":{}})";
    EXPECT_EQ(to_text(json(text)), text);
}

TEST(json, refuses_a_key_that_stands_twice_and_names_its_place)
{
    EXPECT_EQ(code_of(R"({"a":{"b":1,"c":2,"b":3}})"), "json_duplicate_key");
    EXPECT_EQ(path_of(R"({"a":[0,{"b":1,"c":2,"b":3}]})"), "/a/1/b");
}

TEST(json, finds_a_duplicate_among_many_keys)
{
    std::string text = "{";
    for (int i = 0; i < 1000; i++) text += "\"k" + std::to_string(i) + "\":0,";
    EXPECT_EQ(code_of(text + "\"k1000\":0}"), "");
    EXPECT_EQ(path_of(text + "\"k500\":0}"), "/k500");
}

TEST(json, finds_duplicates_that_are_spelled_with_escapes) { EXPECT_EQ(code_of(R"({"a":1,"\u0061":2})"), "json_duplicate_key"); }

TEST(json, takes_64_levels_and_refuses_65)
{
    EXPECT_EQ(code_of(nested(64)), "");
    EXPECT_EQ(code_of(nested(65)), "json_too_deep");
}

TEST(json, answers_a_million_levels_without_recursion) { EXPECT_EQ(code_of(nested(1'000'000)), "json_too_deep"); }

TEST(json, refuses_texts_past_the_size_limit)
{
    const Limits limits{.max_bytes = 10};
    EXPECT_EQ(code_of("\"12345678\"", limits), "");
    EXPECT_EQ(code_of("\"123456789\"", limits), "json_too_large");
}

TEST(json, refuses_what_postgres_text_cannot_hold)
{
    EXPECT_EQ(code_of(R"({"a":"x\u0000y"})"), "json_nul");
    EXPECT_EQ(code_of(R"({"x\u0000y":1})"), "json_nul");
    EXPECT_EQ(path_of(R"({"a":["","x\u0000y"]})"), "/a/1");
}

TEST(json, refuses_broken_encodings)
{
    EXPECT_EQ(code_of("\"caf\xe9\""), "json_encoding");
    EXPECT_EQ(code_of("\"\xc0\xaf\""), "json_encoding");
    EXPECT_EQ(code_of("\"\xed\xa0\x80\""), "json_encoding");
    EXPECT_EQ(code_of(R"("\ud800")"), "json_encoding");
    EXPECT_EQ(code_of(R"("\udc00")"), "json_encoding");
    EXPECT_EQ(code_of(R"("\ud83d\ude00")"), "");
}

TEST(json, refuses_numbers_that_would_come_back_changed)
{
    EXPECT_EQ(code_of("1e309"), "json_number_out_of_range");
    EXPECT_EQ(code_of("99999999999999999999999"), "json_number_out_of_range");
    EXPECT_EQ(code_of("99999999999999999999999", Limits{.exact_integers = false}), "");
    EXPECT_EQ(code_of("18446744073709551615"), "");
    EXPECT_EQ(code_of("-9223372036854775808"), "");
}

TEST(json, refuses_broken_syntax_and_says_where)
{
    for (const char *text : {"", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "[1] x", "nul", "\"a", "01", "+1", ".5", "NaN", "[1 2]", "\"\x01\"", "{\"a\" 1}"})
        EXPECT_EQ(code_of(text), "json_syntax") << text;
    const auto parsed = parse("{\n  \"a\": oops}");
    EXPECT_NE(std::get<Problem>(parsed).message.find("line 2"), std::string::npos) << std::get<Problem>(parsed).message;
}

TEST(json, messages_stay_short_and_escape_control_characters)
{
    for (const std::string &text : std::vector<std::string>{"{\"" + std::string(1'000'000, 'k') + "\":1,\"" + std::string(1'000'000, 'k') + "\":2}",
                                                            "[" + std::string(1'000'000, '9') + "]", "\"" + std::string(1'000'000, 'x') + "\x1b[31m\"",
                                                            "[\"a\\u001b\\u001b\", {\"\\u001b[0m\": 1, \"\\u001b[0m\": 2}]"}) {
        const auto parsed = parse(text);
        const auto &problem = std::get<Problem>(parsed);
        const std::string all = problem.path + problem.message + problem.detail + problem.hint;
        EXPECT_LT(all.size(), 4000u);
        EXPECT_EQ(all.find('\x1b'), std::string::npos);
    }
}

TEST(json, member_finds_nothing_in_what_is_no_object)
{
    EXPECT_EQ(member(json("[1]"), "a"), nullptr);
    EXPECT_EQ(member(json("{}"), "a"), nullptr);
    EXPECT_EQ(*member(json(R"({"b":0,"a":7})"), "a"), 7);
}
