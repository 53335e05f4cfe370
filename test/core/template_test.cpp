#include "core/template.hpp"
#include "support.hpp"

#include <map>

using namespace orch::core;

namespace {

const std::map<std::string, std::string> document = {
    {"strict $.input.day", R"("2026-11-20")"},
    {"strict $.input.n", "7"},
    {"strict $.input.quote", R"("say \"hi\"\n")"},
    {"strict $.tasks.a.output", R"({"rows":[1,2]})"},
    {"strict $.tasks.\"fetch-data\".output", "[1,null]"},
    {"strict $.input.nothing", "null"},
};

std::string rendered(std::string_view value)
{
    return render(json(value), [](const std::string &path) -> std::optional<std::string> {
        const auto found = document.find(path);
        return found == document.end() ? std::nullopt : std::optional<std::string>(found->second);
    });
}

std::string fault_of(std::string_view text)
{
    const auto parsed = parse_template(text);
    const auto *fault = std::get_if<TemplateFault>(&parsed);
    return fault ? fault->message : "";
}

}  // namespace

TEST(template_text, a_string_that_is_one_template_keeps_the_type)
{
    EXPECT_EQ(rendered(R"("{{ input.n }}")"), "7");
    EXPECT_EQ(rendered(R"("{{tasks.a.output}}")"), R"({"rows":[1,2]})");
    EXPECT_EQ(rendered(R"("{{ input.day }}")"), R"("2026-11-20")");
    EXPECT_EQ(rendered(R"("{{ input.nothing }}")"), "null");
}

TEST(template_text, inside_a_longer_string_values_become_text)
{
    EXPECT_EQ(rendered(R"("day {{ input.day }}!")"), R"("day 2026-11-20!")");
    EXPECT_EQ(rendered(R"("{{ input.n }}{{ input.n }}")"), R"("77")");
    EXPECT_EQ(json(rendered(R"("x {{ input.quote }} y")")), "x say \"hi\"\n y");
    EXPECT_EQ(json(rendered(R"("rows: {{ tasks.a.output }}")")), R"(rows: {"rows":[1,2]})");
}

TEST(template_text, values_around_templates_stay_as_they_are)
{
    const std::string text = R"({"a":["{{ input.n }}",1.5,null,true,"plain \" text"],"b{{":{}})";
    EXPECT_EQ(rendered(text), R"({"a":[7,1.5,null,true,"plain \" text"],"b{{":{}})");
}

TEST(template_text, the_first_operand_that_resolves_is_taken)
{
    EXPECT_EQ(rendered(R"("{{ input.missing ?? input.n ?? 'x' }}")"), "7");
    EXPECT_EQ(rendered(R"("{{ input.missing ?? 'it''s' }}")"), R"("it's")");
    EXPECT_EQ(rendered(R"("{{ input.missing ?? -1.5 }}")"), "-1.5");
    EXPECT_EQ(rendered(R"("{{ input.missing ?? false }}")"), "false");
    EXPECT_EQ(rendered(R"("{{ input.nothing ?? 'x' }}")"), "null");
    EXPECT_EQ(rendered(R"("<{{ input.missing ?? 'a \"q\" ?? }} b' }}>")"), R"("<a \"q\" ?? }} b>")");
}

TEST(template_text, ids_in_quotes_are_one_key) { EXPECT_EQ(rendered(R"("{{ tasks.\"fetch-data\".output }}")"), "[1,null]"); }

TEST(template_text, nothing_found_is_an_error_that_names_the_expression)
{
    try {
        rendered(R"({"a":"x {{ input.missing }}"})");
        FAIL();
    } catch (const template_error &error) {
        EXPECT_EQ(error.expression(), "input.missing");
        EXPECT_NE(std::string(error.what()).find("input.missing"), std::string::npos);
    }
}

TEST(template_text, secrets_are_left_for_the_worker)
{
    EXPECT_EQ(rendered(R"("{{ secrets.TOKEN }}")"), R"("{{ secrets.TOKEN }}")");
    EXPECT_EQ(rendered(R"("Bearer {{secrets.TOKEN}} for {{ input.n }}")"), R"("Bearer {{ secrets.TOKEN }} for 7")");
    EXPECT_EQ(fault_of("{{ secrets.TOKEN ?? 'none' }}"), "gives a secret a fallback");
}

TEST(template_text, braces_that_come_out_of_a_value_are_not_read_again)
{
    const auto resolver = [](const std::string &) { return std::optional<std::string>(R"("{{ input.x }}")"); };
    EXPECT_EQ(render(json(R"("a {{ input.y }}")"), resolver), R"("a {{ input.x }}")");
}

TEST(template_text, two_braces_can_be_written_as_a_literal) { EXPECT_EQ(rendered(R"("{{ '{{' }} x {{ '}}' }}")"), R"("{{ x }}")"); }

TEST(template_text, faults_of_syntax_are_told)
{
    EXPECT_NE(fault_of("{{ input.a"), "");
    EXPECT_NE(fault_of("{{ }}"), "");
    EXPECT_NE(fault_of("{{ a ?? }}"), "");
    EXPECT_NE(fault_of("{{ $.input.a }}"), "");
    EXPECT_NE(fault_of("{{ 'a' b }}"), "");
    EXPECT_NE(fault_of("{{ 'a }}"), "");
    EXPECT_NE(fault_of("{{ 1x }}"), "");
    EXPECT_EQ(fault_of("no template, not even } } or { {"), "");
    EXPECT_EQ(fault_of("{{ input.a ? (@ > 1 && @ == \"}}\") }}"), "");
}

TEST(template_text, paths_are_listed_for_loading)
{
    EXPECT_EQ(template_paths("{{ input.a }} {{ tasks.b.output ?? 'x' ?? run.id }} {{ secrets.S }}"),
              (Codes{"strict $.input.a", "strict $.tasks.b.output", "strict $.run.id"}));
    EXPECT_TRUE(template_paths("{{ broken").empty());
}
