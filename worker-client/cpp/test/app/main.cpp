// The application's side over a connection of the caller: in its transactions, and without.

#include <orch/client.hpp>
#include <orch/worker.hpp>

#include <libpq-fe.h>

#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <thread>

namespace {

using namespace orch;

void expect(bool fact, const char *what)
{
    if (!fact) throw std::runtime_error(std::string("not so: ") + what);
    std::cout << "as wanted: " << what << "\n";
}

std::string code_of(const std::function<void()> &call)
{
    try {
        call();
    } catch (const error &refused) {
        return refused.code;
    }
    return "";
}

task<json> counter(context &ctx, json)
{
    auto &count = ctx.keep(0);
    ctx.query("count", [&](const json &) { return json(count); });
    ctx.update("add", [&](json n) -> task<json> { co_return count += n.get<int>(); });
    ctx.update("end", [&](json) -> task<json> {
        count = -1;
        co_return nullptr;
    });
    co_await ctx.condition([&] { return count < 0; });
    co_return "over";
}

void ask_and_tell(client &client)
{
    worker serving({.commands = false, .http = false});
    serving.workflow("counter", counter);
    const std::jthread works([&] { serving.run(); });
    while (code_of([&] { client.trigger("counter", {}, {.idempotency_key = "counter"}); }) == "OR002")
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto run = client.trigger("counter", {}, {.idempotency_key = "counter"}).run_id;
    expect(client.query(run, "count") == 0, "code answers a query");
    expect(client.update(run, "add", 2, "a") == 2 && client.update(run, "add", 2, "a") == 2, "an update is done once, however often it is sent");
    expect(client.update(run, "add", 3) == 5 && client.query(run, "count") == 5, "without an id each is another");
    expect(code_of([&] { client.query(run, "none"); }) == "OR041", "an error of the code");
    client.update(run, "end");
    expect(client.result(run) == "over", "a condition that an update brought about");
    serving.stop();
}

void run(pg_conn *own)
{
    connection database(own);
    database.query("select orch.register($1::text)", {R"({"id":"app","tasks":{"only":{"noop":true,"input":{"n":"{{ input.n }}"}}}})"});
    database.query("select orch.register($1::text)", {R"({"id":"idle","tasks":{"only":{"signal":{"name":"go"}}}})"});
    client client(own);

    database.query("begin");
    const auto undone = client.trigger("app", {{"n", 1}}).run_id;
    database.query("rollback");
    expect(code_of([&] { (void)client.status(undone); }) == "OR003", "a trigger that was rolled back has not been");
    database.query("begin");
    const auto made = client.trigger("app", {{"n", 2}}, {.idempotency_key = "k", .tags = {{"of", "test"}}});
    database.query("commit");
    expect(made.created && client.result(made.run_id)["only"]["n"] == 2, "one that was committed has its result");
    expect(client.status(made.run_id).tags["of"] == "test", "and its tags");
    const auto again = client.trigger("app", {{"n", 2}}, {.idempotency_key = "k"});
    expect(!again.created && again.run_id == made.run_id, "the same key and input are the same run");

    const auto many = client.trigger_many("app", {{{"n", 3}}, {{"n", 4}}}, {"k3", "k4"});
    expect(many.size() == 2 && client.result(many[1].run_id)["only"]["n"] == 4, "many at once, in order");

    const auto idle = client.trigger("idle").run_id;
    expect(code_of([&] { (void)client.result(idle, std::chrono::milliseconds(50)); }) == "57014", "a result has a timeout");
    database.query("begin");
    client.signal(idle, "go", "early");
    database.query("rollback");
    expect(client.status(idle).state == "running", "a signal that was rolled back was not sent");
    client.signal(idle, "go", "now");
    std::string kinds;
    for (const auto &event : client.events(idle, true))
        if (event.task_id.empty()) kinds += event.kind + " ";
    expect(client.result(idle)["only"] == "now" && kinds.ends_with("run_succeeded "), "a signal that was sent, and the events to the end");

    ask_and_tell(client);

    const auto gone = client.trigger("idle").run_id;
    client.cancel(gone);
    try {
        (void)client.result(gone);
        expect(false, "a cancelled run has no result");
    } catch (const run_error &ended) {
        expect(ended.state == "cancelled" && ended.run_id == gone, "a cancelled run says so");
    }
}

}  // namespace

int main()
{
    const std::unique_ptr<pg_conn, decltype(&PQfinish)> own(PQconnectdb(""), PQfinish);
    try {
        run(own.get());
    } catch (const std::exception &failed) {
        std::cerr << failed.what() << "\n";
        return 1;
    }
    return PQstatus(own.get()) == CONNECTION_OK ? 0 : 1;
}
