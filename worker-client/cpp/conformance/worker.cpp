// The conformance worker of the C++ client: what it serves is described in worker-client/conformance/README.md.

#include <orch/connection.hpp>
#include <orch/worker.hpp>
#include <orch/yaml.hpp>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <mutex>
#include <span>
#include <thread>

namespace {

using namespace orch;
using namespace std::chrono_literals;

worker *running = nullptr;

void sleep_for(task_context &task, double seconds)
{
    std::mutex own;
    std::unique_lock hold(own);
    std::condition_variable_any().wait_for(hold, task.stop, std::chrono::duration<double>(seconds), [] { return false; });
    if (task.stop.stop_requested()) throw std::runtime_error("told to stop");
}

/// A row in conformance_effect, in a transaction of its own; returns how many there are of that name.
int effect(const std::string &run, const std::string &name)
{
    connection database("");
    database.query("insert into conformance_effect values ($1, $2)", {run, name});
    return std::stoi(database.query("select count(*) as n from conformance_effect where run_id = $1 and name = $2", {run, name}).text(0, "n"));
}

json fail(task_context &task, const json &input)
{
    if (task.attempt > input.value("times", 1 << 30)) return {{"attempt", task.attempt}};
    const std::string message = input["message"];
    if (!input.contains("class")) throw std::runtime_error(message);
    throw task_error(input["class"], input.value("code", ""), message);
}

json steps(task_context &task, const json &input)
{
    if (task.attempt > 1) return {{"previous", task.previous_progress}};
    for (int at = 1; at <= input["to"]; ++at) task.progress({{"at", at}});
    sleep_for(task, 2);
    throw task_error("transient", "once_more", "failed on purpose");
}

json meet(task_context &task, const json &input)
{
    static std::mutex lock;
    static std::condition_variable_any changed;
    static int under_way = 0;
    std::unique_lock hold(lock);
    ++under_way;
    changed.notify_all();
    if (!changed.wait_for(hold, task.stop, 60s, [&] { return under_way >= input["of"]; })) throw std::runtime_error("nobody came");
    return {{"met", input["of"]}};
}

void add_handlers(worker &worker)
{
    worker.handler("echo", noop_handler);
    worker.handler("describe", [](task_context &task, const json &input) -> json {
        if (task.attempt <= input.value("fail_times", 0)) throw task_error("transient", "once_more", "failed on purpose");
        return {{"run_id", task.run_id},
                {"task_id", task.task_id},
                {"attempt", task.attempt},
                {"idempotency_key", task.idempotency_key},
                {"traceparent", task.traceparent}};
    });
    worker.handler("fail", fail);
    worker.handler("skip", [](task_context &, const json &) -> json { throw skip_task("it was asked to"); });
    worker.batch_handler("batch", 10, [](std::span<batch_item> together) {
        for (auto &one : together) {
            if (one.input == "bad") one.fail(task_error("validation", "bad", "it is bad"));
            else one.complete({{"value", one.input}});
        }
    });
    worker.handler("tell", [](task_context &task, const json &input) -> json {
        for (const auto &line : input["lines"]) task.log(line.get<std::string>());
        return nullptr;
    });
    worker.handler("steps", steps);
    worker.handler("sleep", [](task_context &task, json input) -> orch::task<json> {
        sleep_for(task, input["seconds"]);
        co_return nullptr;
    });
    worker.handler("stubborn",
                   [](task_context &, const json &) -> json {
                       std::this_thread::sleep_for(10min);
                       return nullptr;
                   },
                   {.isolate = true});
    worker.handler("big", [](task_context &, const json &input) -> json { return std::string(input["bytes"].get<size_t>(), 'x'); });
    worker.handler("die", [](task_context &task, const json &input) -> json {
        if (task.attempt <= input["times"]) std::raise(SIGKILL);
        return {{"attempt", task.attempt}};
    });
    worker.handler("meet", meet);
}

// Workflows in code ---------------------------------------------------------------------------------------------------------------------------------------

task<json> sequence(context &ctx, json)
{
    const json one{{"n", 1}};
    const auto first = co_await ctx.step("echo", one);
    const auto second = co_await ctx.step("local", [] { return json{{"n", 2}}; });
    co_return {first, second};
}

task<json> wait_an_hour(context &ctx, json)
{
    co_await ctx.wait(1h);
    co_return "waited";
}

task<json> ask(context &ctx, json)
{
    const auto answer = co_await ctx.signal("answer", 24h);
    co_return {{"answer", answer.value_or(nullptr)}};
}

task<json> late_ask(context &ctx, json input)
{
    co_await ctx.wait(1h);
    co_return co_await ask(ctx, input);
}

task<json> asks(context &ctx, json)
{
    const auto first = co_await ctx.signal("answer");
    const auto second = co_await ctx.signal("answer");
    co_return {*first, *second};
}

task<json> parallel(context &ctx, json)
{
    std::vector<operation<json>> together;
    for (int n = 1; n <= 3; ++n) together.push_back(ctx.step("echo", n));
    co_return co_await all(std::move(together));
}

task<json> first_of_two(context &ctx, json)
{
    const auto answer = ctx.signal("answer");
    const auto late = ctx.wait(24h);
    const auto first = co_await any(answer, late);
    co_return first == 0 ? *answer.get() : json("late");
}

task<json> flaky(context &ctx, json)
{
    int tries = 0;
    co_await ctx.step("unsteady",
                      [&] {
                          if (++tries < 3) throw task_error("transient", "unsteady", "failed on purpose");
                      },
                      {.retry_delay_seconds = 0});
    co_return {{"tries", tries}};
}

task<json> catches(context &ctx, json)
{
    const json bad{{"class", "validation"}, {"code", "bad"}, {"message", "it is bad"}};
    try {
        co_await ctx.step("fail", bad);
    } catch (const step_error &failed) {
        co_return {{"class", failed.error_class}, {"code", failed.code}};
    }
    co_return nullptr;
}

task<json> fails(context &, json)
{
    throw std::runtime_error("broken on purpose");
    co_return nullptr;
}

task<json> values(context &ctx, json)
{
    const json taken{ctx.now().time_since_epoch().count() / 1000, ctx.random(), ctx.uuid()};
    const auto echoed = co_await ctx.step("echo", taken);
    co_await ctx.wait(1h);
    co_return {{"same", echoed == taken}};
}

task<json> loop(context &ctx, json input)
{
    int sum = 0;
    for (int i = 0; i < input["n"]; ++i) {
        const auto given = co_await ctx.step("number", [i] { return json(i); });
        sum += given.get<int>();
    }
    co_return {{"sum", sum}};
}

task<json> countdown(context &ctx, json input)
{
    if (input["n"] == 0) co_return "done";
    ctx.continue_as_new({{"n", input["n"].get<int>() - 1}});
}

task<json> dies(context &ctx, json)
{
    for (const char *name : {"one", "two", "three"}) {
        co_await ctx.step(name, [&ctx, name] {
            if (effect(ctx.run_id, name) == 1 && name == std::string_view("two")) std::raise(SIGKILL);
        });
    }
    co_return nullptr;
}

task<json> changes(context &ctx, json)
{
    const char *text = std::getenv("ORCH_CONFORMANCE_REVISION");
    const std::string revision = text ? text : "1";
    std::string name = revision == "1" ? "first" : "other";
    if (revision == "3") name = ctx.patched("new") ? "other" : "first";
    const auto given = co_await ctx.step(name, [&] { return json(name); });
    co_await ctx.wait(1h);
    co_return given;
}

/// Alive as long as queries may look at it.
struct cart_state {
    json items = json::array();
    bool paid = false;
};

void answer_queries(context &ctx, const cart_state &cart)
{
    ctx.query("items", [&cart](const json &) { return cart.items; });
    ctx.query("item", [&cart](const json &input) -> json {
        if (!input.is_object() || !input.value("at", json()).is_number_unsigned()) throw task_error("validation", "bad_arguments", "at must be a number");
        const size_t at = input["at"];
        return at < cart.items.size() ? cart.items[at] : json();
    });
    ctx.query("breaks", [](const json &) -> json { throw std::runtime_error("broken on purpose"); });
}

task<json> cart(context &ctx, json)
{
    auto &cart = ctx.keep<cart_state>();
    answer_queries(ctx, cart);
    ctx.update(
        "add",
        [&](json input) -> task<json> {
            cart.items.push_back(input["item"]);
            co_return {{"count", cart.items.size()}};
        },
        [&](const json &input) {
            effect(ctx.run_id, "validated");
            const auto item = input.is_object() ? input.value("item", json()) : json();
            if (!item.is_string() || item == "") throw task_error("validation", "bad_item", "an item is a text");
        });
    ctx.update("check", [&](json input) -> task<json> {
        const auto echoed = co_await ctx.step("echo", input["value"]);
        co_await ctx.step("remember", [&ctx] { effect(ctx.run_id, "remembered"); });
        co_return {{"value", echoed}};
    });
    ctx.update("dies", [&](json) -> task<json> {
        co_await ctx.step("once", [&ctx] {
            if (effect(ctx.run_id, "once") == 1) std::raise(SIGKILL);
        });
        co_return {{"survived", true}};
    });
    ctx.update("fails", [](json) -> task<json> {
        throw task_error("handler", "no_luck", "broken on purpose");
        co_return nullptr;
    });
    ctx.update("pay", [&](json) -> task<json> {
        co_await ctx.wait(1h);
        cart.paid = true;
        co_return {{"paid", true}};
    });
    co_await ctx.condition([&] { return cart.paid; });
    co_return {{"items", cart.items}};
}

void add_workflows(worker &worker)
{
    worker.workflow("sequence", sequence);
    worker.workflow("wait", wait_an_hour);
    worker.workflow("ask", ask);
    worker.workflow("late_ask", late_ask);
    worker.workflow("asks", asks);
    worker.workflow("parallel", parallel);
    worker.workflow("first", first_of_two);
    worker.workflow("flaky", flaky);
    worker.workflow("catches", catches);
    worker.workflow("fails", fails);
    worker.workflow("values", values);
    worker.workflow("child", [](context &ctx, json) -> task<json> { co_return co_await ctx.child("sequence"); });
    worker.workflow("loop", loop);
    worker.workflow("countdown", countdown);
    worker.workflow("tags", [](context &ctx, json) -> task<json> {
        ctx.set_tag("colour", "red");
        co_return nullptr;
    });
    worker.workflow("dies", dies);
    worker.workflow("changes", changes);
    worker.workflow("cart", cart);
}

}  // namespace

int main(int count, char **words)
{
    const std::string_view wanted = count > 1 ? words[1] : "";
    if (wanted == "can") {
        std::cout << "[]\n";
        return 0;
    }
    if (wanted == "yaml") {
        try {
            std::cout << yaml_to_json(std::string(std::istreambuf_iterator<char>(std::cin), {})) << "\n";
            return 0;
        } catch (const yaml_error &wrong) {
            std::cerr << wrong.what() << "\n";
            return 1;
        }
    }
    const char *url = std::getenv("ORCH_DATABASE_URL");
    worker worker({.database = url ? url : "", .concurrency = 10, .log = [](log_level level, const std::string &text, const task_context *) {
                       if (level >= log_level::info) std::cerr << text << "\n";
                   }});
    add_handlers(worker);
    add_workflows(worker);
    running = &worker;
    std::signal(SIGTERM, [](int) { running->stop(); });
    worker.run();
}
