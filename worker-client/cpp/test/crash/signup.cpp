// The signup flow, for a test that kills this process wherever it can: signup LANE serves workflow signup-LANE. An effect is a row in signup_effect by its idempotency key.

#include <orch/connection.hpp>
#include <orch/worker.hpp>

#include <csignal>
#include <iostream>

namespace {

using namespace orch;

worker *running = nullptr;

void effect(const task_context &task)
{
    connection database("");
    database.query("insert into signup_effect values ($1, $2) on conflict (key) do update set tries = signup_effect.tries + 1",
                   {task.idempotency_key, task.task_id});
}

task<json> signup(context &ctx, json input)
{
    const std::string lane = input["lane"];
    co_await ctx.step("sendWelcomeEmail-" + lane);
    co_await ctx.wait(std::chrono::milliseconds(input["wait_ms"].get<int>()));
    const auto confirmed = co_await ctx.signal("confirmed", std::chrono::hours(72));
    co_await ctx.step("createAccount", [](task_context &task) { effect(task); });
    co_await ctx.step("sendFollowupEmail-" + lane);
    co_return {{"confirmed", confirmed.value_or(nullptr)}};
}

}  // namespace

int main(int, char **words)
{
    const std::string lane = words[1];
    worker worker({.id = "lane-" + lane, .commands = false, .concurrency = 2, .log = [](log_level, const std::string &text, const task_context *) {
                       std::cerr << text << "\n";
                   }});
    for (const char *name : {"sendWelcomeEmail-", "sendFollowupEmail-"}) {
        worker.handler(name + lane, [](task_context &task, json) -> json {
            effect(task);
            return nullptr;
        });
    }
    worker.workflow("signup-" + lane, signup);
    running = &worker;
    std::signal(SIGTERM, [](int) { running->stop(); });
    worker.run();
}
