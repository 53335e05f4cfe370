// A signup as durable code: a mail, an hour's wait, a confirmation by the user or three days without one, an account. This process may die at any line of it; the
// next one goes on where it was.
//
//   signup worker            serves the workflow
//   signup start EMAIL       starts one, and prints its run
//   signup confirm RUN       what the link in the mail does
//   signup result RUN        waits for the end

#include <orch/client.hpp>
#include <orch/worker.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <string_view>

namespace {

orch::task<orch::json> signup(orch::context &ctx, orch::json input)
{
    co_await ctx.step("send_mail", input);
    co_await ctx.wait(std::chrono::seconds(input.value("wait_seconds", 3600)));
    const auto confirmed = co_await ctx.signal("confirmed", std::chrono::days(3));
    if (!confirmed) co_return {{"account", nullptr}};
    const auto account = co_await ctx.step("create_account", [&] { return orch::json("account of " + input["email"].get<std::string>()); });
    ctx.log("made " + account.get<std::string>());
    co_return {{"account", account}, {"confirmed_by", *confirmed}};
}

orch::json send_mail(orch::task_context &task, orch::json input)
{
    // A mail server that knows this key sends the mail once, however often it is asked.
    task.log("mail to " + input["email"].get<std::string>() + ", key " + task.idempotency_key);
    return nullptr;
}

orch::worker *running = nullptr;

void serve()
{
    orch::worker worker({.concurrency = 4});
    worker.handler("send_mail", send_mail);
    worker.workflow("signup", signup);
    running = &worker;
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { running->stop(); });
    worker.run();
}

}  // namespace

int main(int count, char **words)
{
    const std::string_view verb = count > 1 ? words[1] : "";
    const std::string what = count > 2 ? words[2] : "";
    try {
        if (verb == "worker") return serve(), 0;
        orch::client client;
        if (verb == "start") std::cout << client.trigger("signup", {{"email", what}, {"wait_seconds", 1}}).run_id << "\n";
        else if (verb == "confirm") client.signal(what, "confirmed", "the user");
        else if (verb == "result") std::cout << client.result(what) << "\n";
        else return std::cerr << "usage: signup worker | start EMAIL | confirm RUN | result RUN\n", 2;
    } catch (const std::exception &refused) {
        std::cerr << refused.what() << "\n";
        return 1;
    }
}
