#include "core/spec.hpp"
#include "support.hpp"

using namespace orch::core;

namespace {

std::string spec_for(const std::string &task)
{
    const Plan plan = compiled(with_tasks(R"({"t":)" + task + "}"));
    return render_spec(plan.tasks[0], [](const std::string &) { return std::optional<std::string>(R"("{{ a/b")"); });
}

}  // namespace

TEST(spec, each_part_of_a_request_is_rendered_for_its_use)
{
    EXPECT_EQ(
        spec_for(
            R"({"http":{"url":"http://x/{{ input.v }}","headers":{"A":"{{ secrets.S }}{{ input.v }}"},"query":{"q":"{{ input.v }}"},"body":["{{ input.v }}"]}})"),
        R"({"http":{"url":"http://x/%7B%7B%20a%2Fb","headers":{"A":"{{ secrets.S }}{{ '{' }}{ a/b"},"query":{"q":"{{ a/b"},"body":["{{ '{' }}{ a/b"]},"timeout_seconds":10.0})");
}

TEST(spec, what_code_started_holds_values_and_no_secrets)
{
    const Plan plan = compiled(with_tasks(R"({"t":{"http":{"url":"http://x/{{ input.v }}","body":["{{ secrets.S }}",{"a":{}}]}}})"));
    EXPECT_EQ(spec_of_values(plan.tasks[0]), R"({"http":{"url":"http://x/{{ input.v }}","body":["{{ '{' }}{ secrets.S }}",{"a":{}}]},"timeout_seconds":10.0})");
}

TEST(spec, of_a_command_only_the_environment_is_filled_in_by_the_worker)
{
    EXPECT_EQ(spec_for(R"({"command":["x","{{ input.v }}"],"env":{"V":"{{ input.v }}","S":"{{ secrets.S }}"},"metadata":{"m":1}})"),
              R"({"command":["x","{{ a/b"],"env":{"V":"{{ '{' }}{ a/b","S":"{{ secrets.S }}"},"metadata":{"m":1}})");
}
