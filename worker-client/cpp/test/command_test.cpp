#include "executors.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace {

using namespace orch;
using namespace std::chrono_literals;

struct task_of : leased_task {
    explicit task_of(const json &spec, const json &input = nullptr);
};

task_of::task_of(const json &spec, const json &input)
{
    auto &work = *this;
    work.run_id = "run";
    work.task_id = "t";
    work.attempt = 2;
    work.idempotency_key = "run:t";
    work.executor = "command";
    work.spec = spec.dump();
    work.input = input.dump();
}

std::optional<std::string> environment_secrets(const std::string &name) { return find_secret("", name); }

std::string fields_of(const json &command)
{
    process_guard guard;
    task_of work(json{{"command", command}});
    return run_command(work, guard, 5s, size_t{1} << 20, environment_secrets).fields;
}

struct ended {
    json output, error;
    std::chrono::milliseconds took;
};

ended run(leased_task &work, std::chrono::milliseconds grace = 5s, size_t max_result = size_t{1} << 20)
{
    process_guard guard;
    const auto begun = std::chrono::steady_clock::now();
    const auto result = json::parse("{" + run_command(work, guard, grace, max_result, environment_secrets).fields + "}");
    return {result.value("output", json()), result.value("error", json()),
            std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun)};
}

ended run(const json &command, const json &env = json::object(), const json &input = nullptr)
{
    task_of work(json{{"command", command}, {"env", env}}, input);
    return run(work);
}

bool eventually(const std::function<bool()> &holds)
{
    for (int i = 0; i < 500; ++i, std::this_thread::sleep_for(10ms))
        if (holds()) return true;
    return false;
}

bool alive(pid_t process)
{
    std::ifstream status("/proc/" + std::to_string(process) + "/stat");
    std::string id, name, state;
    return status >> id >> name >> state && state != "Z" && state != "X";
}

pid_t number_in(const std::string &file)
{
    pid_t number = 0;
    std::ifstream(file) >> number;
    return number;
}

struct folder {
    std::filesystem::path path = [] {
        std::string name = std::filesystem::temp_directory_path() / "orch-test-XXXXXX";
        return std::filesystem::path(mkdtemp(name.data()));
    }();
    ~folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const char *name) const { return path / name; }
};

TEST(command, a_string_runs_in_a_shell_and_a_list_does_not)
{
    const auto shell = run("echo $((1+1)); echo oops >&2");
    EXPECT_EQ(shell.output["exit_code"], 0);
    EXPECT_EQ(shell.output["stdout"], "2\n");
    EXPECT_EQ(shell.output["stderr"], "oops\n");
    EXPECT_EQ(shell.output["json"], 2);
    EXPECT_EQ(run({"echo", "$((1+1))", "; ls"}).output["stdout"], "$((1+1)) ; ls\n");
}

TEST(command, the_last_line_is_parsed_where_it_is_json)
{
    EXPECT_EQ(run("echo start; echo '{\"rows\": 3}'; echo").output["json"], json({{"rows", 3}}));
    EXPECT_EQ(run("echo hello").output["json"], nullptr);
    EXPECT_EQ(run("true").output["json"], nullptr);
    EXPECT_EQ(run("echo '\"a\\u0000b\"'").output["json"], "a\xEF\xBF\xBD"
                                                          "b");
}

TEST(command, the_environment_tells_the_task_about_itself)
{
    setenv("ORCH_SECRET_KEY", "s3cret", 1);
    const auto told = run("echo $ORCH_RUN_ID $ORCH_TASK_ID $ORCH_ATTEMPT $ORCH_IDEMPOTENCY_KEY $ORCH_INPUT $WHO $MY_KEY [$ORCH_SECRET_KEY]",
                          {{"WHO", "me"}, {"MY_KEY", "{{ secrets.KEY }}"}}, {{"n", 1}});
    EXPECT_EQ(told.output["stdout"], "run t 2 run:t {\"n\":1} me s3cret []\n");
    const auto missing = run("true", {{"K", "{{ secrets.NOBODY }}"}});
    EXPECT_EQ(missing.error["class"], "validation");
    EXPECT_EQ(missing.error["code"], "template_unresolved");
}

TEST(command, braces_of_a_value_are_no_secret)
{
    setenv("ORCH_SECRET_KEY", "s3cret", 1);
    EXPECT_EQ(run("echo \"$A\"", {{"A", "{{ '{' }}{ secrets.KEY }}"}}).output["stdout"], "{{ secrets.KEY }}\n");
    EXPECT_EQ(run("echo \"$A\"", {{"A", "{{ '{' }}{{ secrets.KEY }}"}}).output["stdout"], "{s3cret\n");
}

TEST(command, exit_code_99_skips_the_task)
{
    EXPECT_EQ(fields_of("echo why >&2; exit 99"), R"("skip":"why")");
    EXPECT_EQ(fields_of("echo out; exit 99"), R"("skip":"out")");
    EXPECT_EQ(fields_of("exit 99"), R"("skip":true)");
}

TEST(command, an_exit_code_is_an_error_of_the_handler)
{
    const auto failed = run("echo out; echo first >&2; echo 'disk full' >&2; exit 7");
    EXPECT_EQ(failed.error["class"], "handler");
    EXPECT_EQ(failed.error["code"], "exit_code");
    EXPECT_EQ(failed.error["exit_code"], 7);
    EXPECT_EQ(failed.error["message"], "disk full");
    EXPECT_EQ(run({"/nowhere/program"}).error["exit_code"], 127);
    EXPECT_EQ(run(json::array()).error["class"], "validation");
    EXPECT_EQ(run("true", json::object(), std::string(200'000, 'x')).error["code"], "input_too_large");
}

TEST(command, a_signal_is_an_error_of_the_infrastructure)
{
    const auto killed = run("kill -9 $$");
    EXPECT_EQ(killed.error["class"], "infrastructure");
    EXPECT_NE(killed.error["message"].get<std::string>().find("SIGKILL"), std::string::npos);
}

TEST(command, output_over_the_limit_is_marked_and_fits)
{
    task_of work(json{{"command", "i=0; while [ $i -lt 40000 ]; do printf 'line %d \xc3\xa4\\377\\n' $i; i=$((i+1)); done; echo '{\"ok\":true}'"}});
    const auto big = run(work, 5s, 100'000);
    EXPECT_EQ(big.output["json"], json({{"ok", true}}));
    EXPECT_LE(big.output.dump().size(), 100'000U);
    EXPECT_GE(big.output.dump().size(), 90'000U);
    EXPECT_NE(big.output["stdout"].get<std::string>().find("bytes left out"), std::string::npos);
}

TEST(command, a_json_value_over_the_limit_is_refused_and_not_cut)
{
    for (const char *size : {"150000", "900000"}) {
        task_of work(json{{"command", std::string("printf '[\"'; head -c ") + size + " /dev/zero | tr '\\0' x; printf '\"]\\n'"}});
        const auto big = run(work, 5s, 100'000);
        EXPECT_EQ(big.error["code"], "too_large") << size;
        EXPECT_EQ(big.error["class"], "validation");
    }
}

TEST(command, a_timeout_ends_the_whole_group)
{
    const folder here;
    task_of work(json{{"command", "sleep 60 & echo $! > " + here.file("child") + "; wait"}});
    work.deadline = std::chrono::steady_clock::now() + 300ms;
    const auto late = run(work);
    EXPECT_EQ(late.error["class"], "timeout");
    EXPECT_LT(late.took, 3s);
    EXPECT_TRUE(eventually([&] { return !alive(number_in(here.file("child"))); }));
}

TEST(command, who_ignores_sigterm_is_killed_after_the_grace)
{
    task_of work(json{{"command", "trap '' TERM; while :; do sleep 0.05; done"}});
    work.deadline = std::chrono::steady_clock::now() + 200ms;
    const auto late = run(work, 300ms);
    EXPECT_EQ(late.error["class"], "timeout");
    EXPECT_GE(late.took, 450ms);  // counted from a moment after the deadline was set
    EXPECT_LT(late.took, 3s);
}

TEST(command, a_cancel_stops_it)
{
    task_of work(json{{"command", "sleep 60"}});
    std::thread later([&] {
        std::this_thread::sleep_for(200ms);
        work.interrupt(leased_task::reason::cancelled);
    });
    const auto stopped = run(work);
    later.join();
    EXPECT_EQ(stopped.error["class"], "cancelled");
    EXPECT_LT(stopped.took, 3s);
}

TEST(command, what_it_left_in_the_background_does_not_hold_it_up)
{
    const folder here;
    const auto left = run("sleep 60 & echo $! > " + here.file("child") + "; echo done");
    EXPECT_EQ(left.output["stdout"], "done\n");
    EXPECT_LT(left.took, 3s);
    EXPECT_TRUE(eventually([&] { return !alive(number_in(here.file("child"))); }));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "nobody is left to be reaped";
}

TEST(command, a_killed_worker_leaves_nobody_behind)
{
    const folder here;
    const pid_t worker = fork();
    if (worker == 0) {
        process_guard guard;
        task_of work(json{{"command", "sleep 60 & echo $! > " + here.file("child") + "; echo $$ > " + here.file("shell") + "; wait"}});
        (void)run_command(work, guard, 5s, 1000, environment_secrets);
        _exit(0);
    }
    ASSERT_TRUE(eventually([&] { return number_in(here.file("shell")) > 0; }));
    EXPECT_TRUE(alive(number_in(here.file("child"))));
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
    EXPECT_TRUE(eventually([&] { return !alive(number_in(here.file("child"))) && !alive(number_in(here.file("shell"))); }));
}

TEST(command, its_lines_are_logged_as_they_come)
{
    task_of work(json{{"command", "echo one; echo two >&2; printf three"}});
    (void)run(work);
    const auto lines = json::parse(work.take_lines());
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0]["line"], "one");
    EXPECT_TRUE(work.take_lines().empty());
}

TEST(command, a_flood_of_lines_is_bounded)
{
    task_of work(json{{"command", "yes | head -c 3000000"}});
    (void)run(work);
    EXPECT_EQ(json::parse(work.take_lines()).size(), 10'000U);
}

TEST(handlers, flaky_fails_as_often_as_it_is_told)
{
    leased_task work;
    work.attempt = 2;
    EXPECT_THROW((void)flaky_handler(work, {{"fail_times", 2}}), task_error);
    work.attempt = 3;
    EXPECT_EQ(flaky_handler(work, {{"fail_times", 2}})["attempt"], 3);
    int failures = 0;
    for (int i = 0; i < 1000; ++i) {
        work.idempotency_key = std::to_string(i);
        try {
            (void)flaky_handler(work, {{"probability", 0.3}, {"seed", 5}});
        } catch (const task_error &) {
            ++failures;
        }
    }
    EXPECT_NEAR(failures, 300, 60);
}

TEST(handlers, what_they_throw_becomes_the_error)
{
    const auto error_of = [](const handler_function &function) {
        leased_task work;
        work.input = "null";
        return json::parse("{" + run_handler(work, function).fields + "}")["error"];
    };
    EXPECT_EQ(error_of([](task_context &, const json &) -> json { throw task_error("resource", "quota", "no room"); })["class"], "resource");
    EXPECT_EQ(error_of([](task_context &, const json &) -> json { throw std::runtime_error("bad \xff"); })["class"], "handler");
    EXPECT_EQ(error_of([](task_context &, const json &) -> json { throw orch::error("40001", "conflict"); })["class"], "transient");
    EXPECT_EQ(error_of([](task_context &, const json &) -> json { throw 5; })["class"], "unknown");
}

}  // namespace
