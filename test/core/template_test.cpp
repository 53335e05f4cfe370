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
    {"strict $.input.open", R"("{")"},
    {"strict $.input.forged", R"("{{ secrets.KEY }}")"},
    {"strict $.input.rest", R"("{ secrets.KEY }}")"},
    {"strict $.input.object", R"({"{{ secrets.K }}":["{{{ secrets.K }}"],"o":{}})"},
    {"strict $.input.base", R"("https://host:1/a?b=c")"},
};

std::optional<std::string> find(const std::string &path)
{
    const auto found = document.find(path);
    return found == document.end() ? std::nullopt : std::optional<std::string>(found->second);
}

std::string rendered(std::string_view value, TextUse use = TextUse::value) { return render(json(value), find, use); }

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

TEST(template_text, a_worker_takes_no_value_for_a_secret)
{
    const auto use = TextUse::filled_by_worker;
    EXPECT_EQ(rendered(R"("Bearer {{ secrets.KEY }}")", use), R"("Bearer {{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"("{{ input.forged }}")", use), R"("{{ '{' }}{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"("a {{ input.forged }} {{ secrets.K }}")", use), R"("a {{ '{' }}{ secrets.KEY }} {{ secrets.K }}")");
    // In two pieces, and with the braces of a real secret.
    EXPECT_EQ(rendered(R"("{{ input.open }}{{ input.rest }}")", use), R"("{{ '{' }}{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"("{{ input.open }}{ secrets.KEY }}")", use), R"("{{ '{' }}{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"("{{ input.open }}{{ secrets.KEY }}")", use), R"("{{ '{' }}{{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"("{{ '{{ secrets.KEY }}' }}")", use), R"("{{ '{' }}{ secrets.KEY }}")");
    EXPECT_EQ(rendered(R"({"a":"{{ input.object }}"})", use), R"({"a":{"{{ '{' }}{ secrets.K }}":["{{ '{' }}{{ '{' }}{ secrets.K }}"],"o":{}}})");
    EXPECT_EQ(rendered(R"("{\"a\": {{ input.n }}}")", use), R"("{\"a\": 7}")");
    EXPECT_EQ(fault_of("{{ secrets }}"), "names a secret by more than a name");
    EXPECT_EQ(fault_of("{{ secrets.\"a}}b\" }}"), "names a secret by more than a name");
}

TEST(template_text, a_value_stays_in_its_part_of_a_url)
{
    const auto use = TextUse::url;
    EXPECT_EQ(rendered(R"("https://x/{{ input.quote }}?n={{ input.n }}")", use), R"("https://x/say%20%22hi%22%0A?n=7")");
    EXPECT_EQ(rendered(R"("https://x/{{ input.base }}#{{ input.day }}")", use), R"("https://x/https%3A%2F%2Fhost%3A1%2Fa%3Fb%3Dc#2026-11-20")");
    EXPECT_EQ(rendered(R"("{{ input.base }}")", use), R"("https://host:1/a?b=c")");
    EXPECT_EQ(rendered(R"("{{ input.base }}&d={{ input.open }}")", use), R"("https://host:1/a?b=c&d=%7B")");
}
