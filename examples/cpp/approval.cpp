// A release that two people look at, in one process: the worker in a thread, the application beside it.

#include <orch/client.hpp>
#include <orch/worker.hpp>

#include <chrono>
#include <iostream>
#include <thread>

namespace {

using namespace std::chrono_literals;

orch::task<orch::json> release(orch::context &ctx, orch::json input)
{
    const auto built = co_await ctx.step("build", input);
    // Both are asked at once, and nothing waits for them here: not a thread, not a connection.
    const orch::json question{{"approval", {{"form", {{"artifact", built["artifact"]}}}}}, {"timeout_seconds", 86400}};
    auto [quality, security] = co_await orch::all(ctx.start("quality", question), ctx.start("security", question));
    if (!quality["approved"] || !security["approved"]) co_return {{"released", false}, {"because", {quality["comment"], security["comment"]}}};
    co_await ctx.step("publish", [&](orch::task_context &task) { task.log("published " + built["artifact"].get<std::string>()); });
    co_return {{"released", true}, {"artifact", built["artifact"]}};
}

orch::json build(orch::task_context &, orch::json input) { return {{"artifact", "app-" + input["version"].get<std::string>() + ".tar"}}; }

/// The run's state, once a person has been asked.
void wait_for_question(orch::client &client, const std::string &run, const std::string &task)
{
    for (const auto &event : client.events(run, true))
        if (event.task_id == task && event.kind == "task_waiting") return;
}

}  // namespace

int main()
{
    orch::worker worker({.concurrency = 4});
    worker.handler("build", build);
    worker.workflow("release", release);
    std::jthread serving([&] { worker.run(); });

    orch::client client;
    std::string run;
    for (int tries = 0; run.empty(); ++tries) {
        try {
            run = client.trigger("release", {{"version", "1.2"}}).run_id;
        } catch (const orch::error &refused) {
            if (refused.code != "OR002" || tries == 300) throw;  // the worker registers it in a moment
            std::this_thread::sleep_for(100ms);
        }
    }
    wait_for_question(client, run, "quality#1");
    client.approve(run, "quality#1", true, "all tests pass");
    wait_for_question(client, run, "security#1");
    client.approve(run, "security#1", true);
    std::cout << client.result(run) << "\n";
    worker.stop();
}
