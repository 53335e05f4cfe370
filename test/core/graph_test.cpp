#include "core/graph.hpp"
#include "support.hpp"

using namespace orch::core;

namespace {

const char *diamond = R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"],"name":"Second"},"c":{"noop":true,"dependencies":["a","b"]}})";
const char *hostile = R"({"a":{"noop":true,"name":"\"]; end --> x<script>alert(1)</script> \\ `;%%{init}%%"}})";

std::string drawn(const char *tasks, GraphFormat format, std::string_view states = "")
{
    const Plan plan = compiled(with_tasks(tasks, R"("finally":{"z":{"noop":true}})"));
    return render_graph(plan, format, std::span<const char>(states.data(), states.size()));
}

}  // namespace

TEST(graph, text_shows_levels_parents_and_states)
{
    EXPECT_EQ(drawn(diamond, GraphFormat::text, "SFpp"), "w\n"
                                                         "  a · succeeded\n"
                                                         "    b (Second) · failed <- a\n"
                                                         "      c · pending <- a, b\n"
                                                         "        z · pending [finally]\n");
}

TEST(graph, mermaid_and_dot_hold_each_node_and_edge)
{
    const std::string mermaid = drawn(diamond, GraphFormat::mermaid), dot = drawn(diamond, GraphFormat::dot);
    for (const char *line : {"flowchart TD\n", "t0[\"a\"]", "t1[\"b (Second)\"]", "t3([\"z\"])", "t0 --> t1\n", "t0 --> t2\n", "t1 --> t2\n"})
        EXPECT_NE(mermaid.find(line), std::string::npos) << line;
    for (const char *line : {"digraph \"w\" {", "t0 [label=\"a\"]", "t1 -> t2;", "peripheries=2"}) EXPECT_NE(dot.find(line), std::string::npos) << line;
}

TEST(graph, states_colour_the_nodes)
{
    EXPECT_NE(drawn(diamond, GraphFormat::mermaid, "SFpp").find("style t1 fill:#ffcdd2"), std::string::npos);
    EXPECT_NE(drawn(diamond, GraphFormat::dot, "SFpp").find("fillcolor=\"#c8e6c9\""), std::string::npos);
}

TEST(graph, hostile_names_cannot_leave_their_labels)
{
    const std::string mermaid = drawn(hostile, GraphFormat::mermaid), dot = drawn(hostile, GraphFormat::dot);
    EXPECT_EQ(mermaid.find('<'), std::string::npos);
    EXPECT_EQ(mermaid.find("%%"), std::string::npos);
    EXPECT_EQ(std::count(mermaid.begin(), mermaid.end(), '"'), 4);
    EXPECT_EQ(std::count(mermaid.begin(), mermaid.end(), '>'), 0);
    EXPECT_NE(dot.find(R"(\"]; end)"), std::string::npos);
    EXPECT_NE(dot.find(R"( \\ )"), std::string::npos);
}

TEST(graph, formats_have_names)
{
    EXPECT_EQ(graph_format_from("mermaid"), GraphFormat::mermaid);
    EXPECT_FALSE(graph_format_from("svg"));
}
