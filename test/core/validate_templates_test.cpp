#include "support.hpp"

using namespace orch::core;

namespace {

/// a <- b <- t, and `lone`; t has the given text in it.
Codes found_with(const std::string &text, const std::string &more = "", const PathCheck &check_path = {})
{
    return found(
        with_tasks(
            R"({"a":{"noop":true},"b":{"noop":true,"dependencies":["a"]},"lone":{"noop":true},"fetch-data":{"noop":true},"fetch":{"noop":true},"2nd":{"noop":true},
        "t":{"dependencies":["b","fetch-data","fetch","2nd"],)" +
                text + "}}",
            more),
        check_path);
}

Codes found_in_input(const std::string &expression) { return found_with("\"noop\":true,\"input\":{\"k\":[\"{{ " + expression + " }}\"]}"); }

}  // namespace

TEST(validate_templates, accepts_what_has_ended_by_then)
{
    for (const char *expression : {"input.x", "run.id", "tasks.b.output", "tasks.a.output.rows[*].id", "tasks.\\\"fetch-data\\\".output", "tasks.fetch.output",
                                   "input.x ?? tasks.a.output ?? 'none'"})
        EXPECT_EQ(found_in_input(expression), nothing) << expression;
}

TEST(validate_templates, refuses_tasks_that_are_unknown_or_no_ancestors)
{
    EXPECT_EQ(found_in_input("tasks.ghost.output"), (Codes{"template_unknown_task /tasks/t/input/k/0"}));
    EXPECT_EQ(found_in_input("input.x ?? tasks.ghost.output"), (Codes{"template_unknown_task /tasks/t/input/k/0"}));
    EXPECT_EQ(found_in_input("tasks.lone.output"), (Codes{"template_not_ancestor /tasks/t/input"}));
    EXPECT_EQ(found_in_input("tasks.t.output"), (Codes{"template_not_ancestor /tasks/t/input"}));
    EXPECT_EQ(found_in_input("tasks.a.output ? (@ == $.tasks.lone.output)"), (Codes{"template_not_ancestor /tasks/t/input"}));
}

TEST(validate_templates, ids_that_are_no_plain_words_need_quotes)
{
    EXPECT_EQ(found_in_input("tasks.fetch-data.output"), (Codes{"template_quote_id /tasks/t/input/k/0"}));
    EXPECT_EQ(found_in_input("tasks.2nd.output"), (Codes{"template_quote_id /tasks/t/input/k/0"}));
    EXPECT_EQ(found_in_input("tasks.\\\"2nd\\\".output"), nothing);
}

TEST(validate_templates, refuses_paths_that_name_nothing_or_everything)
{
    for (const char *expression : {"nothing.x", "tasks.*.output", "tasks", "item.x", "index", "*"})
        EXPECT_EQ(found_in_input(expression), (Codes{"template_unknown_name /tasks/t/input/k/0"})) << expression;
}

TEST(validate_templates, refuses_broken_syntax)
{
    EXPECT_EQ(found_in_input("$.input.x"), (Codes{"template_syntax /tasks/t/input/k/0"}));
    EXPECT_EQ(found_with(R"("noop":true,"input":"{{ input.x")"), (Codes{"template_syntax /tasks/t/input"}));
    EXPECT_EQ(found_in_input("input.x[0"), (Codes{"path_invalid /tasks/t/input/k/0"}));
}

TEST(validate_templates, refuses_templates_that_would_run_as_code)
{
    EXPECT_EQ(found_with(R"("sql":"select {{ input.x }}")"), (Codes{"template_in_sql /tasks/t/sql"}));
    EXPECT_EQ(found_with(R"("command":"echo {{ input.x }}")").at(0), "template_in_shell /tasks/t/command");
    for (const char *command : {R"(["sh","-c","echo {{ input.x }}"])", R"(["/bin/bash","-ec","{{ input.x }}"])",
                                R"(["env","A=1","zsh","-l","-c","{{ input.x }}"])", R"(["bash","-c","-e","{{ input.x }}"])"})
        EXPECT_EQ(found_with(std::string("\"command\":") + command).at(0).substr(0, 17), "template_in_shell") << command;
    EXPECT_EQ(found_with(R"("command":["sh","-c","echo $1","sh","{{ input.x }}"])"), nothing);
    EXPECT_EQ(found_with(R"("command":["grep","-c","{{ input.x }}"])"), nothing);
    EXPECT_EQ(found_with(R"("handler":"{{ input.x }}")"), (Codes{"template_not_allowed /tasks/t/handler"}));
    EXPECT_EQ(found_with(R"("sql":"select 1","settings":{"work_mem":"{{ input.x }}"})"), (Codes{"template_not_allowed /tasks/t/settings"}));
}

TEST(validate_templates, refuses_templates_in_keys)
{
    EXPECT_EQ(found_with(R"("noop":true,"input":{"{{ input.x }}":1})"), (Codes{"template_in_key /tasks/t/input/{{ input.x }}"}));
}

TEST(validate_templates, secrets_may_stand_only_where_a_worker_fills_them_in)
{
    EXPECT_EQ(found_with(R"("command":["x"],"env":{"T":"{{ secrets.T }}"})"), nothing);
    EXPECT_EQ(found_with(R"("http":{"url":"https://x","headers":{"A":"Bearer {{ secrets.T }}"},"body":["{{ secrets.T }}"]})"), nothing);
    EXPECT_EQ(found_with(R"("http":{"url":"https://x/{{ secrets.T }}"})"), (Codes{"secret_not_allowed /tasks/t/http/url"}));
    EXPECT_EQ(found_with(R"("command":["x","{{ secrets.T }}"])"), (Codes{"secret_not_allowed /tasks/t/command/1"}));
    EXPECT_EQ(found_in_input("secrets.T"), (Codes{"secret_not_allowed /tasks/t/input/k/0"}));
    EXPECT_EQ(found_with(R"("sql":"select $1","params":["{{ secrets.T }}"])"), (Codes{"secret_not_allowed /tasks/t/params/0"}));
}

TEST(validate_templates, conditions_are_paths_and_follow_the_same_order)
{
    EXPECT_EQ(found_with(R"("noop":true,"when":"$.tasks.a.output.n > 0 && $.input.go == true")"), nothing);
    EXPECT_EQ(found_with(R"("noop":true,"when":"$.tasks.lone.output.n > 0")"), (Codes{"template_not_ancestor /tasks/t/when"}));
    EXPECT_EQ(found_with(R"("noop":true,"when":"$.tasks.ghost.state == \"failed\"")"), (Codes{"template_unknown_task /tasks/t/when"}));
    EXPECT_EQ(found_with(R"("noop":true,"when":"{{ input.x }}")"), (Codes{"template_not_allowed /tasks/t/when"}));
    EXPECT_EQ(found_with(R"("noop":true,"when":"$.input.x.datetime() > 1")"), (Codes{"path_invalid /tasks/t/when"}));
    EXPECT_EQ(found_with(R"("noop":true,"when":"")"), (Codes{"invalid_text /tasks/t/when"}));
}

TEST(validate_templates, finally_tasks_and_the_output_may_name_any_main_task)
{
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true}})", R"("output":"{{ tasks.a.output }}","finally":{"z":{"noop":true,"input":"{{ tasks.a.state }}"}})")),
              nothing);
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true}})", R"("output":"{{ tasks.b.output }}")")), (Codes{"template_unknown_task /output"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true,"input":"{{ tasks.z.output }}"}})", R"("finally":{"z":{"noop":true}})")),
              (Codes{"template_not_ancestor /tasks/a/input"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true}})", R"("finally":{"y":{"noop":true,"input":"{{ tasks.z.output }}"},"z":{"noop":true}})")),
              (Codes{"template_not_ancestor /finally/y/input"}));
}

TEST(validate_templates, defaults_are_checked_once_for_syntax_and_from_each_task_for_order)
{
    EXPECT_EQ(found_with(R"("noop":true)", R"("defaults":{"input":"{{ tasks.ghost.output }}"})"), (Codes{"template_unknown_task /defaults/input"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true,"input":1},"b":{"noop":true,"dependencies":["a"]},"c":{"noop":true}})",
                               R"("defaults":{"input":"{{ tasks.a.output }}"})")),
              (Codes{"template_not_ancestor /tasks/c"}));
}

TEST(validate_templates, the_given_check_sees_whole_paths)
{
    Codes seen;
    const PathCheck check = [&](std::string_view path) -> std::optional<std::string> {
        seen.emplace_back(path);
        return path.find("bad") == std::string_view::npos ? std::nullopt : std::optional<std::string>("syntax error");
    };
    EXPECT_EQ(found_with(R"("noop":true,"when":"$.input.ok == 1","input":["{{ input.bad }}","{{ tasks.b.output ?? 'bad' }}"])", "", check),
              (Codes{"path_invalid /tasks/t/input/0"}));
    EXPECT_EQ(seen, (Codes{"$.input.ok == 1", "strict $.input.bad", "strict $.tasks.b.output"}));
}
