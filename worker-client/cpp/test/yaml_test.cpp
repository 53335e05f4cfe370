#include "orch/yaml.hpp"

#include <gtest/gtest.h>

namespace {

using orch::yaml_error;
using orch::yaml_to_json;

void expect_refused(const std::string &yaml, int line, int column, const std::string &part)
{
    try {
        const auto json = yaml_to_json(yaml);
        FAIL() << "accepted as " << json;
    } catch (const yaml_error &wrong) {
        EXPECT_EQ(wrong.line, line) << wrong.what();
        EXPECT_EQ(wrong.column, column) << wrong.what();
        EXPECT_NE(std::string(wrong.what()).find(part), std::string::npos) << wrong.what();
    }
}

TEST(yaml, a_definition_becomes_json)
{
    EXPECT_EQ(yaml_to_json("id: a\ntasks:\n  x: {command: [echo, 'hi']}\n  y:\n    noop: true\n    dependencies:\n      - x\n"),
              R"({"id":"a","tasks":{"x":{"command":["echo","hi"]},"y":{"noop":true,"dependencies":["x"]}}})");
}

TEST(yaml, scalars_follow_the_core_schema)
{
    EXPECT_EQ(yaml_to_json("[yes, no, on, Off, y, n]"), R"(["yes","no","on","Off","y","n"])");
    EXPECT_EQ(yaml_to_json("[true, True, TRUE, false, tRue]"), R"([true,true,true,false,"tRue"])");
    EXPECT_EQ(yaml_to_json("[null, ~, Null, nUll]"), R"([null,null,null,"nUll"])");
    EXPECT_EQ(yaml_to_json("a:\nb: x"), R"({"a":null,"b":"x"})");
    EXPECT_EQ(yaml_to_json("[12, +7, -0, 007, 0o17, 0xFf, 0b1, 1_000]"), R"([12,7,-0,7,15,255,"0b1","1_000"])");
    EXPECT_EQ(yaml_to_json("[1.5, .5, 5., -1.e3, +1E-2, 1e5, ., 1e, 1.2.3]"), R"([1.5,0.5,5.0,-1.0e3,1e-2,1e5,".","1e","1.2.3"])");
    EXPECT_EQ(yaml_to_json("123456789012345678901234567890"), "123456789012345678901234567890");
    EXPECT_EQ(yaml_to_json("['1', \"true\", '', '~']"), R"(["1","true","","~"])");
    EXPECT_EQ(yaml_to_json("2026-11-21"), R"("2026-11-21")");
    EXPECT_EQ(yaml_to_json("12:30:45"), R"("12:30:45")");
}

TEST(yaml, block_text_keeps_its_lines)
{
    EXPECT_EQ(yaml_to_json("sql: |\n  select 1;\n  select 2\n"), R"({"sql":"select 1;\nselect 2\n"})");
    EXPECT_EQ(yaml_to_json("sql: >-\n  select\n  1\n"), R"({"sql":"select 1"})");
}

TEST(yaml, known_tags_are_honoured_and_others_refused)
{
    EXPECT_EQ(yaml_to_json("[!!str 12, !!int '12', !!float 1, ! true, !!map {}, !!seq []]"), R"(["12",12,1,"true",{},[]])");
    expect_refused("a: !!int twelve", 1, 10, "!!int");
    expect_refused("a: !!python/object:os.system x", 1, 30, "unknown");
    expect_refused("a: !secret x", 1, 12, "unknown");
    expect_refused("a: !!set {x}", 1, 10, "unknown");
}

TEST(yaml, aliases_are_expanded)
{
    EXPECT_EQ(yaml_to_json("a: &x {k: 1}\nb: *x\nc: [*x, *x]"), R"({"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]})");
    EXPECT_EQ(yaml_to_json("- &x 1\n- &x 2\n- *x"), "[1,2,2]");
}

TEST(yaml, an_alias_inside_its_own_node_is_refused)
{
    expect_refused("a: &x\n  b: *x", 2, 6, "inside the node");
    expect_refused("a: &x [1, [*x]]", 1, 12, "inside the node");
    expect_refused("a: *nobody", 1, 4, "no node has the anchor");
}

TEST(yaml, a_growing_expansion_is_refused_before_it_is_made)
{
    std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
    for (int i = 1; i < 30; ++i) {
        const auto last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
        for (int j = 0; j < 9; ++j) bomb += ", " + last;
        bomb += "]\n";
    }
    EXPECT_THROW((void)yaml_to_json(bomb), yaml_error);
    EXPECT_THROW((void)yaml_to_json(std::string(100, 'x'), 50), yaml_error);
}

TEST(yaml, duplicate_keys_are_refused_with_their_place)
{
    expect_refused("id: a\ntasks:\n  x: {}\n  x: {}\n", 4, 3, "\"x\" is there twice");
    expect_refused("{1: a, '1': b}", 1, 8, "twice");
}

TEST(yaml, what_json_cannot_say_is_refused)
{
    expect_refused("a: .inf", 1, 4, ".inf");
    expect_refused("a: [.NaN]", 1, 5, ".NaN");
    expect_refused("a: 0x1FFFFFFFFFFFFFFFF", 1, 4, "64 bits");
    expect_refused("? [a, b]\n: c", 1, 3, "scalar");
    expect_refused("&k a: 1\n*k : 2", 2, 1, "alias");
    expect_refused("<<: {a: 1}", 1, 1, "merge keys");
    EXPECT_EQ(yaml_to_json("'<<': 1"), R"({"<<":1})");
}

TEST(yaml, one_document_is_one_definition)
{
    EXPECT_EQ(yaml_to_json("--- {a: 1}\n...\n"), R"({"a":1})");
    EXPECT_THROW((void)yaml_to_json("a: 1\n---\nb: 2\n"), yaml_error);
    EXPECT_THROW((void)yaml_to_json(""), yaml_error);
    EXPECT_THROW((void)yaml_to_json("# nothing\n"), yaml_error);
}

TEST(yaml, broken_text_names_its_place)
{
    for (const char *broken :
         {"a: [1, 2", "a: b: c", "\t- x", "a: 'x", "a: \"\\q\"", "%YAML 9.9\n--- a\n", "a: {b: c", "- a\nb: c\n", "*", "&", "!<", "\"\\ud800\""}) {
        try {
            const auto json = yaml_to_json(broken);
            ADD_FAILURE() << broken << " was accepted as " << json;
        } catch (const yaml_error &wrong) {
            EXPECT_GE(wrong.line, 1);
            EXPECT_GE(wrong.column, 1);
        }
    }
    EXPECT_THROW((void)yaml_to_json("a: \xff\xfe\xfd"), yaml_error);
    EXPECT_THROW((void)yaml_to_json("a: \"\xc0\xaf\""), yaml_error);
}

TEST(yaml, deep_nesting_is_no_crash)
{
    EXPECT_THROW((void)yaml_to_json(std::string(100'000, '[')), yaml_error);
    std::string balanced = std::string(5'000, '[') + std::string(5'000, ']');
    EXPECT_THROW((void)yaml_to_json(balanced), yaml_error);
}

}  // namespace
