// orch's own C++ worker in place of the driver's bare ones: W1, and what it needs of memory.
#include "bench.hpp"

#include <orch/worker.hpp>

#include <atomic>

namespace orch_bench {

void Bench::client()
{
    const long n = options_.number("n", 20'000);
    define("bag", R"({"only":{"handler":"noop"}})");
    rest();
    trigger_query("bag", n);
    database_.query("analyze");

    std::atomic<long> done = 0;
    orch::worker worker({.concurrency = static_cast<int>(options_.number("concurrency", 500))});
    worker.batch_handler("noop", static_cast<int>(options_.number("batch", 100)), [&done](std::span<orch::batch_item> items) {
        for (auto &item : items) item.complete(orch::json::object());
        done += static_cast<long>(items.size());
    });
    costs_.begin();
    Line("drain").text("at", "begin").print();
    const auto began = Clock::now();
    std::thread thread([&worker] { worker.run(); });
    for (long part = 1; part <= 4; ++part) {
        while (done < n * part / 4) std::this_thread::sleep_for(std::chrono::milliseconds(2));
        if (options_.number("memory", 0) == 0) continue;
        Line line("memory");
        line.number("n", static_cast<double>(n * part / 4)).number("worker_mib", memory_of("self", "VmRSS"));
        line.print();
    }
    const double seconds = until_over("bag", began, -1);
    worker.stop();
    thread.join();
    Line line("drain");
    line.number("n", static_cast<double>(n)).number("s", seconds).number("per_s", static_cast<double>(n) / seconds);
    costs_.add(line, static_cast<double>(n));
    line.print();
    verify("bag", n, n);
}

}  // namespace orch_bench
