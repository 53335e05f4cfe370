#include "support.hpp"

using namespace orch::core;

namespace {

/// What one task's text is found to be wrong with, `a` and `b` standing beside it.
Codes found_in(const std::string &task) { return found(with_tasks(R"({"a":{"noop":true},"t":)" + task + "}")); }

Codes found_beside(const std::string &more) { return found(with_tasks(R"({"a":{"noop":true}})", more)); }

Problem first_of(const Json &spec)
{
    const auto problems = validate(spec);
    return problems.empty() ? Problem{} : problems.front();
}

}  // namespace

TEST(validate, accepts_every_executor_that_is_built)
{
    for (const char *task :
         {R"({"handler":"resize"})", R"({"command":"echo hi"})", R"({"command":["echo","{{ input.x }}"],"env":{"A":"b","N":1}})",
          R"({"callable":"pkg.mod:fn","input":{"x":1}})",
          R"({"http":{"method":"POST","url":"https://x/{{ input.x }}","headers":{"A":"{{ secrets.T }}"},"body":{"k":"{{ secrets.T }}"}}})",
          R"({"http":{"url":"{{ input.url }}"}})", R"({"http":{"llm":{"model":"m","prompt":"{{ input.q }}"}}})",
          R"({"http":{"url":"https://x","expect":[200,"2xx","200-299","< 400","!=503"],"query":{"a":[1,"{{ input.x }}"],"b":true}}})",
          R"({"http":{"url":"https://x","expect":{"status":"{{ input.s }}","body":{"ok":true}}}})",
          R"({"sql":"select $1","params":["{{ input.x }}"],"check":"off","settings":{"work_mem":"64MB"}})", R"({"sleep":1.5})", R"({"sleep":"1 hour"})",
          R"({"until":"{{ input.at }}"})", R"({"decision":{"left":"{{ input.x }}","op":">=","right":3}})", R"({"noop":true,"input":null})"})
        EXPECT_EQ(found_in(task), nothing) << task;
}

TEST(validate, accepts_every_setting_in_its_range)
{
    EXPECT_EQ(
        found_in(
            R"({"noop":true,"name":"Überprüfung 测试","trigger_rule":{"at_least":1},"dependencies":["a"],"when":"$.tasks.a.output.n > 0","retries":0,"retry_delay_seconds":0.5,
        "retry_backoff":"exponential","retry_max_delay_seconds":9,"retry_jitter":0,"retry_max_elapsed_seconds":60,"retry_on":["timeout",75,"40001"],"no_retry_on":["validation"],
        "timeout_seconds":0,"queue":"q/1","priority":-3,"metadata":{"any":[1]},"x-mine":1,"comment":"why"})"),
        nothing);
    EXPECT_EQ(
        found_beside(
            R"("name":"N","description":"two\nlines","owner":"me","labels":{"a":1},"metadata":{},"version":"1.2","timeout_seconds":1e3,"max_active_runs":4,"when_full":"reject",
        "on_failure":"continue","priority":1,"queue":"q","defaults":{"retries":1,"env":{"A":"b"}},"output":{"x":"{{ tasks.a.output }}"},"tags":["x"],"finally":[{"id":"z","noop":true}],"x-y":{},"comment":[])"),
        nothing);
}

TEST(validate, reports_every_problem_at_once)
{
    const auto codes = found(
        json(R"({"id":"bad id","tasks":{"a":{"command":"x","retries":-1,"timeout_seconds":-2,"retry_delay_seconds":-3},"b":{"dependencies":["ghost"]}}})"));
    EXPECT_EQ(codes, (Codes{"invalid_id /id", "out_of_range /tasks/a/retries", "out_of_range /tasks/a/timeout_seconds",
                            "out_of_range /tasks/a/retry_delay_seconds", "no_executor /tasks/b", "unknown_dependency /tasks/b/dependencies/0"}));
}

TEST(validate, refuses_what_is_no_workflow)
{
    EXPECT_EQ(found(json("[]")), (Codes{"wrong_type "}));
    EXPECT_EQ(found(json("null")), (Codes{"wrong_type "}));
    EXPECT_EQ(found(json("{}")), (Codes{"missing_key ", "no_tasks "}));
    EXPECT_EQ(found(json(R"({"id":"w","tasks":{}})")), (Codes{"no_tasks /tasks"}));
    EXPECT_EQ(found(json(R"({"id":"w","tasks":[]})")), (Codes{"no_tasks /tasks"}));
    EXPECT_EQ(found(json(R"({"id":"w","tasks":"a"})")), (Codes{"wrong_type /tasks"}));
    EXPECT_EQ(found(json(R"({"id":"w","tasks":{"a":null}})")), (Codes{"wrong_type /tasks/a"}));
    EXPECT_EQ(found(json(R"({"id":7,"tasks":{"a":{"noop":true}}})")), (Codes{"wrong_type /id"}));
}

TEST(validate, checks_ids)
{
    const std::string longest(128, 'x');
    for (const std::string &id : {std::string("a"), std::string("_a"), std::string("0-9./+:z"), longest})
        EXPECT_EQ(found(with_tasks("{\"" + id + "\":{\"noop\":true}}")), nothing) << id;
    for (const std::string &id :
         {std::string(), std::string("-a"), std::string("a b"), std::string("ä"), std::string("a\\nb"), std::string("a\\\"b"), longest + "x"})
        EXPECT_EQ(validate(with_tasks("{\"" + id + "\":{\"noop\":true}}")).at(0).code, "invalid_id") << id;
}

TEST(validate, refuses_ids_that_are_taken_missing_or_contradict_their_key)
{
    EXPECT_EQ(found(with_tasks(R"([{"id":"a","noop":true},{"id":"a","noop":true}])")), (Codes{"duplicate_id /tasks/1"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"noop":true}})", R"("finally":{"a":{"noop":true}})")), (Codes{"duplicate_id /finally/a"}));
    EXPECT_EQ(found(with_tasks(R"([{"noop":true}])")), (Codes{"missing_key /tasks/0"}));
    EXPECT_EQ(found(with_tasks(R"([{"id":1,"noop":true}])")), (Codes{"wrong_type /tasks/0/id"}));
    EXPECT_EQ(found(with_tasks(R"({"a":{"id":"b","noop":true}})")), (Codes{"id_mismatch /tasks/a/id"}));
}

TEST(validate, tasks_may_have_the_names_of_ignored_keys)
{
    EXPECT_EQ(found(with_tasks(R"({"comment":{"noop":true},"x-1":{"noop":true,"dependencies":["comment"]}})")), nothing);
}

TEST(validate, wants_exactly_one_executor_and_names_both)
{
    EXPECT_EQ(found_in("{}"), (Codes{"no_executor /tasks/t"}));
    EXPECT_EQ(found_in(R"({"sql":"select 1","command":"x"})"), (Codes{"several_executors /tasks/t"}));
    const auto problem = first_of(with_tasks(R"({"t":{"sql":"select 1","command":"x"}})"));
    EXPECT_NE(problem.message.find("\"sql\" and \"command\""), std::string::npos) << problem.message;
}

TEST(validate, names_the_nearest_known_key)
{
    const std::pair<const char *, const char *> cases[] = {{"dependancies", "dependencies"}, {"depends_on", "dependencies"}, {"retires", "retries"},
                                                           {"timeout", "timeout_seconds"},   {"comand", "command"},          {"needs", "dependencies"},
                                                           {"trigger", "trigger_rule"}};
    for (const auto &[wrong, right] : cases) {
        const auto problem = first_of(with_tasks(std::string(R"({"t":{"noop":true,")") + wrong + "\":1}}"));
        EXPECT_EQ(problem.code, "unknown_key");
        EXPECT_NE(problem.hint.find(std::string("\"") + right + "\""), std::string::npos) << wrong << ": " << problem.hint;
    }
    EXPECT_NE(first_of(with_tasks(R"({"t":{"noop":true}})", R"("step":1)")).hint, "");
    EXPECT_EQ(first_of(with_tasks(R"({"t":{"noop":true,"zzzzzz":1}})")).hint, "Keys of your own begin with x-.");
}

TEST(validate, says_what_is_not_supported_yet)
{
    for (const char *key : {"for_each", "max_parallel", "tolerate", "first_of", "concurrency_key", "concurrency_limit", "rate_limit", "compensate", "cache",
                            "batch", "external", "wait_for", "expected_seconds", "start_timeout_seconds"})
        EXPECT_EQ(found_in(std::string(R"({"noop":true,")") + key + "\":1}"), (Codes{std::string("not_supported_yet /tasks/t/") + key}));
    for (const char *key : {"input_schema", "retention", "singleton_key", "debounce", "throttle", "depends_on_past", "latest_only"})
        EXPECT_EQ(found_beside(std::string("\"") + key + "\":1"), (Codes{std::string("not_supported_yet /") + key}));
}

TEST(validate, checks_what_a_task_waits_for)
{
    EXPECT_EQ(found_in(R"({"signal":{"name":"s","timeout_seconds":1}})"), nothing);
    EXPECT_EQ(found_in(R"({"signal":{}})"), (Codes{"missing_key /tasks/t/signal"}));
    EXPECT_EQ(found_in(R"({"approval":{}})"), nothing);
    EXPECT_EQ(found_in(R"({"approval":{"roles":["a"],"form":{},"timeout_seconds":0}})"), nothing);
    EXPECT_EQ(found_in(R"({"approval":{"roles":[]}})"), (Codes{"out_of_range /tasks/t/approval/roles"}));
    EXPECT_EQ(found_in(R"({"workflow":{"id":"{{ input.which }}","input":{},"wait":false,"parent_close":"abandon"}})"), nothing);
    EXPECT_EQ(found_in(R"({"workflow":{"id":"a b"}})"), (Codes{"invalid_id /tasks/t/workflow/id"}));
    EXPECT_EQ(found_in(R"({"workflow":{"id":"a","wait":1}})"), (Codes{"wrong_type /tasks/t/workflow/wait"}));
    EXPECT_EQ(found_in(R"({"workflow":{"id":"a","when":1}})"), (Codes{"unknown_key /tasks/t/workflow/when"}));
}

TEST(validate, refuses_numbers_out_of_range_and_of_wrong_type)
{
    EXPECT_EQ(found_in(R"({"noop":true,"retries":1001})"), (Codes{"out_of_range /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":1e300})"), (Codes{"out_of_range /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":18446744073709551615})"), (Codes{"out_of_range /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":1.5})"), (Codes{"wrong_type /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":"three"})"), (Codes{"wrong_type /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":null})"), (Codes{"wrong_type /tasks/t/retries"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retries":2.0})"), nothing);
    EXPECT_EQ(found_in(R"({"noop":true,"retry_delay_seconds":9007199254740993})"), (Codes{"out_of_range /tasks/t/retry_delay_seconds"}));
    EXPECT_EQ(found_in(R"({"noop":true,"retry_jitter":1.1})"), (Codes{"out_of_range /tasks/t/retry_jitter"}));
    EXPECT_EQ(found_in(R"({"sleep":-1})"), (Codes{"out_of_range /tasks/t/sleep"}));
    EXPECT_EQ(found_beside(R"("max_active_runs":0)"), (Codes{"out_of_range /max_active_runs"}));
}

TEST(validate, refuses_words_that_a_setting_does_not_have)
{
    EXPECT_EQ(found_in(R"({"noop":true,"retry_backoff":"linear"})"), (Codes{"unknown_value /tasks/t/retry_backoff"}));
    EXPECT_EQ(found_in(R"({"noop":true,"trigger_rule":"some_success"})"), (Codes{"unknown_value /tasks/t/trigger_rule"}));
    EXPECT_EQ(found_in(R"({"noop":true,"trigger_rule":{"at_most":1}})"), (Codes{"unknown_value /tasks/t/trigger_rule"}));
    EXPECT_EQ(found_in(R"({"decision":{"left":1,"op":"=","right":2}})"), (Codes{"unknown_value /tasks/t/decision/op"}));
    EXPECT_EQ(found_in(R"({"decision":{"left":1,"op":"== !=","right":2}})"), (Codes{"unknown_value /tasks/t/decision/op"}));
    EXPECT_EQ(found_beside(R"("on_failure":"")"), (Codes{"unknown_value /on_failure"}));
    EXPECT_EQ(found_in(R"({"http":{"method":"FETCH","url":"https://x"}})"), (Codes{"unknown_value /tasks/t/http/method"}));
    EXPECT_EQ(found_in(R"({"http":{"url":"ftp://x"}})"), (Codes{"unknown_value /tasks/t/http/url"}));
    for (const char *status : {"99", "600", "\"6xx\"", "\"2x\"", "\"<\"", "\"200-\"", "\"200-999\"", "\"=>200\"", "\"ok\""})
        EXPECT_EQ(found_in(std::string(R"({"http":{"url":"https://x","expect":[)") + status + "]}}"), (Codes{"unknown_value /tasks/t/http/expect/0"}))
            << status;
    EXPECT_EQ(found_in(R"({"callable":"os.system"})"), (Codes{"unknown_value /tasks/t/callable"}));
    EXPECT_EQ(found_in(R"({"sql":"select 1","settings":{"role":"postgres"}})"), (Codes{"unknown_value /tasks/t/settings/role"}));
}

TEST(validate, refuses_executors_that_are_half_written)
{
    EXPECT_EQ(found_in(R"({"command":""})"), (Codes{"invalid_text /tasks/t/command"}));
    EXPECT_EQ(found_in(R"({"command":[]})"), (Codes{"out_of_range /tasks/t/command"}));
    EXPECT_EQ(found_in(R"({"command":["a",1]})"), (Codes{"wrong_type /tasks/t/command/1"}));
    EXPECT_EQ(found_in(R"({"sql":" ; "})"), (Codes{"invalid_text /tasks/t/sql"}));
    EXPECT_EQ(found_in(R"({"http":{}})"), (Codes{"missing_key /tasks/t/http"}));
    EXPECT_EQ(found_in(R"({"http":{"url":"https://x","expect":{"state":200},"query":{"a":{"b":1}}}})"),
              (Codes{"unknown_key /tasks/t/http/expect/state", "wrong_type /tasks/t/http/query/a"}));
    EXPECT_EQ(found_in(R"({"http":{"url":"https://x","expect":[]}})"), (Codes{"out_of_range /tasks/t/http/expect"}));
    EXPECT_EQ(found_in(R"({"http":{"url":"https://x","expect":[[200]]}})"), (Codes{"wrong_type /tasks/t/http/expect/0"}));
    EXPECT_EQ(found_in(R"({"http":{"llm":{}}})"), (Codes{"missing_key /tasks/t/http/llm", "missing_key /tasks/t/http/llm"}));
    EXPECT_EQ(found_in(R"({"http":{"method":"POST","llm":{"model":"m","prompt":"p","messages":[],"stream":true}}})"),
              (Codes{"exclusive_settings /tasks/t/http/llm", "unknown_key /tasks/t/http/llm/stream", "exclusive_settings /tasks/t/http/method"}));
    EXPECT_EQ(found_in(R"({"decision":{"left":1}})"), (Codes{"missing_key /tasks/t/decision", "missing_key /tasks/t/decision"}));
    EXPECT_EQ(found_in(R"({"noop":false})"), (Codes{"wrong_type /tasks/t/noop"}));
    EXPECT_EQ(found_in(R"({"handler":":command"})"), (Codes{"invalid_id /tasks/t/handler"}));
    EXPECT_EQ(found_in(R"({"handler":{"name":"x"}})"), (Codes{"wrong_type /tasks/t/handler"}));
}

TEST(validate, at_least_cannot_ask_for_more_than_there_are_parents)
{
    EXPECT_EQ(found_in(R"({"noop":true,"dependencies":["a"],"trigger_rule":{"at_least":2}})"), (Codes{"out_of_range /tasks/t/trigger_rule"}));
    EXPECT_EQ(found_in(R"({"noop":true,"dependencies":["a"],"trigger_rule":{"at_least":0}})"), (Codes{"out_of_range /tasks/t/trigger_rule/at_least"}));
}

TEST(validate, refuses_settings_that_exclude_each_other_and_names_both)
{
    EXPECT_EQ(found_in(R"({"noop":true,"retry_backoff":"fixed","retry_max_delay_seconds":3})"), (Codes{"exclusive_settings /tasks/t"}));
    const auto problem = first_of(with_tasks(R"({"t":{"noop":true,"retry_on":["timeout",7],"no_retry_on":[7]}})"));
    EXPECT_EQ(problem.code, "exclusive_settings");
    EXPECT_EQ(problem.message, "7 stands in both \"retry_on\" and \"no_retry_on\"");
}

TEST(validate, refuses_keys_beside_the_wrong_executor)
{
    EXPECT_EQ(found_in(R"({"noop":true,"params":[1]})"), (Codes{"misplaced_key /tasks/t/params"}));
    EXPECT_EQ(found_in(R"({"sql":"select 1","env":{"A":"b"}})"), (Codes{"misplaced_key /tasks/t/env"}));
    EXPECT_EQ(found_beside(R"("defaults":{"id":"x","command":"y"})"), (Codes{"misplaced_key /defaults/id", "misplaced_key /defaults/command"}));
}

TEST(validate, defaults_are_checked_like_tasks)
{
    EXPECT_EQ(found_beside(R"("defaults":{"retries":-1,"retrys":1,"trigger_rule":"x"})"),
              (Codes{"out_of_range /defaults/retries", "unknown_key /defaults/retrys", "unknown_value /defaults/trigger_rule"}));
    EXPECT_EQ(found_beside(R"("defaults":[])"), (Codes{"wrong_type /defaults"}));
}

TEST(validate, names_have_no_control_characters_and_an_end)
{
    EXPECT_EQ(found_in(R"({"noop":true,"name":"a\tb"})"), (Codes{"invalid_text /tasks/t/name"}));
    EXPECT_EQ(found_in(R"({"noop":true,"name":"a\u0085b"})"), (Codes{"invalid_text /tasks/t/name"}));
    EXPECT_EQ(found_in(R"({"noop":true,"name":""})"), (Codes{"invalid_text /tasks/t/name"}));
    std::string name;
    for (int i = 0; i < 1000; i++) name += "é";
    EXPECT_EQ(found_in("{\"noop\":true,\"name\":\"" + name + "\"}"), nothing);
    EXPECT_EQ(found_in("{\"noop\":true,\"name\":\"" + name + "x\"}"), (Codes{"invalid_text /tasks/t/name"}));
}

TEST(validate, a_limit_on_nothing_is_a_warning)
{
    const auto problems = validate(with_tasks(R"({"a":{"noop":true}})", R"("when_full":"reject")"));
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].severity, Severity::warning);
    EXPECT_FALSE(has_errors(problems));
}

TEST(validate, shows_a_hundred_problems_and_counts_the_rest)
{
    std::string tasks = "{";
    for (int i = 0; i < 250; i++) tasks += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":{}";
    const auto problems = validate(with_tasks(tasks + "}"));
    ASSERT_EQ(problems.size(), 101u);
    EXPECT_EQ(problems[100].code, "more_problems");
    EXPECT_EQ(problems[100].severity, Severity::error);
    EXPECT_EQ(problems[100].message, "150 more problems are not shown");
}

TEST(problem, summary_is_bounded_and_says_what_it_leaves_out)
{
    std::string tasks = "{";
    for (int i = 0; i < 90; i++) tasks += (i ? ",\"" : "\"") + std::string(100, 'k') + std::to_string(i) + "\":{}";
    const auto problems = validate(with_tasks(tasks + "}"));
    const std::string text = summary(problems);
    EXPECT_LT(text.size(), 4000u);
    EXPECT_NE(text.find("more problems are not shown here."), std::string::npos);
    EXPECT_EQ(summary(std::span(problems).first(1)), problems[0].path + ": the task has nothing to execute (no_executor)");
}

TEST(problem, quotes_escape_what_steers_a_terminal_and_cut_what_is_long)
{
    EXPECT_EQ(in_quotes("é\x1b[0m\n\xff\u202e"), "\"é\\x1b[0m\\x0a\\xff\\xe2\\x80\\xae\"");
    EXPECT_EQ(in_quotes("abcdefgh", 3), "\"abc…\" (8 bytes)");
    EXPECT_EQ(in_quotes("aéé", 2), "\"a…\" (5 bytes)");
}

TEST(problem, pointers_escape_by_rfc_6901) { EXPECT_EQ(pointer_to(pointer_to("/tasks", "a/b~c"), std::size_t{3}), "/tasks/a~1b~0c/3"); }

TEST(validate, a_circuit_stands_beside_what_workers_run)
{
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":"api","fallback":{"n":0}})"), Codes{});
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":{"failures":3,"open_seconds":0.5,"successes":1}})"), Codes{});
    EXPECT_EQ(found_in(R"({"command":"true","circuit":{"failures":3}})"), (Codes{"missing_key /tasks/t/circuit"}));
    EXPECT_EQ(found_in(R"({"sql":"select 1","circuit":"api"})"), (Codes{"misplaced_key /tasks/t/circuit"}));
    EXPECT_EQ(found_in(R"({"noop":true,"circuit":"api"})"), (Codes{"misplaced_key /tasks/t/circuit"}));
    EXPECT_EQ(found_in(R"({"handler":"h","fallback":1})"), (Codes{"misplaced_key /tasks/t/fallback"}));
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":1})"), (Codes{"wrong_type /tasks/t/circuit"}));
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":"a b"})"), (Codes{"invalid_id /tasks/t/circuit"}));
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":{"failures":0,"seconds":1}})"),
              (Codes{"out_of_range /tasks/t/circuit/failures", "unknown_key /tasks/t/circuit/seconds"}));
    EXPECT_EQ(found_in(R"({"handler":"h","circuit":"api","fallback":"{{ secrets.KEY }}"})"), (Codes{"secret_not_allowed /tasks/t/fallback"}));
    EXPECT_EQ(found_beside(R"("defaults":{"circuit":{"failures":2}})"), Codes{}) << "in defaults it is for the tasks that can have one";
}
