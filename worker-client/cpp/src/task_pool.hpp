#pragma once

#include "leased_task.hpp"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace orch {

/// Threads that run tasks. They are started as they are needed and live on until the pool ends, since a command's life is tied to its thread.
class task_pool {
public:
    using finished = std::pair<std::shared_ptr<leased_task>, outcome>;

    explicit task_pool(std::function<outcome(leased_task &)> run);
    /// Waits for idle threads; one that is still inside a handler is left to end by itself.
    ~task_pool();
    task_pool(const task_pool &) = delete;
    task_pool &operator=(const task_pool &) = delete;

    void start(std::shared_ptr<leased_task> work);
    /// Readable when something finished or `wake` was called.
    [[nodiscard]] int event() const noexcept;
    void wake() const noexcept;
    [[nodiscard]] std::vector<finished> take_finished();

private:
    struct state;
    static void work(const std::shared_ptr<state> &shared);
    std::shared_ptr<state> state_;
};

}  // namespace orch
