#include <orch/worker.hpp>

#include <fstream>
#include <mutex>

/// An executor of one's own: a handler that holds something, here a file that its tasks append to.
class append_executor : public orch::executor {
public:
    explicit append_executor(const std::string &file) : file_(file, std::ios::app) {}

    [[nodiscard]] std::string name() const override { return "append"; }

    orch::json run(orch::task_context &task, orch::json input) override
    {
        const auto line = input.value("line", "");
        if (line.empty()) throw orch::skip_task("there is nothing to append");
        const std::lock_guard hold(lock_);
        if (!(file_ << task.idempotency_key << ' ' << line << std::endl)) throw orch::task_error("infrastructure", "disk", "cannot append");
        return {{"bytes", line.size()}};
    }

private:
    std::mutex lock_;
    std::ofstream file_;
};

int main(int count, char **arguments)
{
    orch::worker worker({.commands = false, .http = false});
    worker.handler(std::make_shared<append_executor>(count > 1 ? arguments[1] : "appended.txt"), {.concurrency = 2});
    worker.batch_handler("sum", 100, [](std::span<orch::batch_item> items) {
        for (auto &item : items) {
            int sum = 0;
            for (const auto &number : item.input) sum += number.get<int>();  // one that is no number fails all that are not settled yet
            item.complete({{"together", items.size()}, {"sum", sum}});
        }
    });
    worker.run();
}
