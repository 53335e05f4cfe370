// orch_pooled COUNT RUNS: so many workers in one process, and an application that starts runs of durable code and waits for their ends; through what ORCH_DATABASE_URL says. With
// its counterparts in test/pgbouncer.
#include <orch/client.hpp>
#include <orch/worker.hpp>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

namespace {

using namespace orch;
using namespace std::chrono_literals;

std::vector<std::unique_ptr<worker>> workers;
const std::string url = std::getenv("ORCH_DATABASE_URL");

task<json> code(context &ctx, json input)
{
    auto &added = ctx.keep(0);
    ctx.update("add", [&](json n) -> task<json> { co_return added += n.get<int>(); });
    const int n = input["n"];
    auto here = ctx.step("here", [n](task_context &) -> json { return n; });
    auto py = ctx.step("py", {{"n", n}});
    auto ts = ctx.step("ts", {{"n", n}});
    const int sum = (co_await here).get<int>() + (co_await py)["n"].get<int>() + (co_await ts)["n"].get<int>();
    co_await ctx.wait(100ms);
    const auto go = co_await ctx.signal("go");
    co_return {{"sum", sum + go->get<int>()}, {"pad", input["pad"].get<std::string>().size()}};
}

template <class F>
auto persistently(F &&call)
{
    for (;; std::this_thread::sleep_for(100ms)) {
        try {
            client through(url);
            return call(through);
        } catch (const error &lost) {
            if (!lost.poisons_connection && lost.code != "OR002" && !lost.code.starts_with("08")) throw;
        }
    }
}

size_t pad_of(int n) { return n == 0 ? 300'000 : static_cast<size_t>(n); }

void use(int runs)
{
    std::vector<std::string> ids;
    for (int n = 0; n < runs; ++n) {
        const json input{{"n", n}, {"pad", std::string(pad_of(n), 'x')}};
        ids.push_back(
            persistently([&](client &through) { return through.trigger("code-cpp", input, {.idempotency_key = "cpp-" + std::to_string(n)}).run_id; }));
    }
    if (persistently([&](client &through) { return through.update(ids[0], "add", 5, "five"); }) != 5) throw std::runtime_error("the update");
    for (const auto &id : ids)
        persistently([&](client &through) {
            through.signal(id, "go", 1);
            return true;
        });
    for (int n = 0; n < runs; ++n) {
        const auto result = persistently([&](client &through) { return through.result(ids[static_cast<size_t>(n)], 100s); });
        if (result != json{{"sum", 3 * n + 1}, {"pad", pad_of(n)}}) throw std::runtime_error(result.dump());
    }
    std::cout << "c++: " << runs << " results" << std::endl;
}

}  // namespace

int main(int, char **words)
{
    for (int i = 0; i < std::atoi(words[1]); ++i) {
        worker_options options{.database = url, .id = "cpp-" + std::to_string(i), .commands = false, .concurrency = 4};
        options.log = [](log_level level, const std::string &text, const task_context *) {
            if (level > log_level::info) std::cerr << text << "\n";
        };
        workers.push_back(std::make_unique<worker>(std::move(options)));
        workers.back()->handler("cpp", [](task_context &, json input) {
            std::this_thread::sleep_for(20ms);
            return input;
        });
        workers.back()->workflow("code-cpp", code);
    }
    for (const int signal : {SIGTERM, SIGINT})
        std::signal(signal, [](int) {
            for (auto &one : workers) one->stop();
        });
    std::vector<std::jthread> threads;
    for (auto &one : workers) threads.emplace_back([&one] { one->run(); });
    if (const int runs = std::atoi(words[2]); runs > 0) use(runs);
}
